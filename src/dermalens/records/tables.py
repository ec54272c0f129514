"""The tables, as they are after the newest migration (`migrations/versions`)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, Dialect, Double, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """An aware time, always UTC; SQLite, which knows no zones, gets it without."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Constraints have names, so that a migration can find them in both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcTime(),
        dict[str, Any]: JSON(none_as_null=True),
        list[float]: JSON(none_as_null=True),
        str: Text(),
    }


class LesionRow(Base):
    """A lesion that its owner gave a name, so that its cases can be compared over time."""

    __tablename__ = "lesions"
    __table_args__ = (UniqueConstraint("owner", "name"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    created: Mapped[datetime]


class CaseRow(Base):
    """A kept answer with its patient data; the image is a file that `image_sha256` names."""

    __tablename__ = "cases"
    __table_args__ = (Index(None, "owner", "created", "id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str]
    created: Mapped[datetime]
    decision: Mapped[str]
    diagnosis: Mapped[str]
    answer: Mapped[dict[str, Any]]
    age_years: Mapped[float | None] = mapped_column(Double)
    sex: Mapped[str]
    site: Mapped[str]
    note: Mapped[str]
    image_sha256: Mapped[str] = mapped_column(String(64), index=True)
    square: Mapped[list[float] | None]
    embedding: Mapped[bytes | None]
    lesion_id: Mapped[str | None] = mapped_column(ForeignKey("lesions.id"), index=True)
    taken_on: Mapped[date | None]

    lesion: Mapped[LesionRow | None] = relationship(lazy="joined")
    consent: Mapped[ConsentRow] = relationship(
        back_populates="case", cascade="all, delete-orphan", passive_deletes=True, lazy="joined"
    )
    feedback: Mapped[list[FeedbackRow]] = relationship(
        cascade="all, delete-orphan",
        passive_deletes=True,
        lazy="selectin",
        order_by=lambda: (FeedbackRow.created, FeedbackRow.id),
    )


class ConsentRow(Base):
    """The sentence that was ticked when the case was kept."""

    __tablename__ = "consents"

    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True)
    sentence: Mapped[str]
    given: Mapped[datetime]

    case: Mapped[CaseRow] = relationship(back_populates="consent")


class FeedbackRow(Base):
    """What somebody said of a case later."""

    __tablename__ = "feedback"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    label: Mapped[str]
    comment: Mapped[str]
    created: Mapped[datetime]


class JobRow(Base):
    """A batch of images that is answered in the background."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str]
    created: Mapped[datetime]
    finished: Mapped[datetime | None]
    options: Mapped[dict[str, Any]]

    items: Mapped[list[JobItemRow]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, lazy="selectin", order_by=lambda: JobItemRow.number
    )


class JobItemRow(Base):
    """One image of a job; while it waits its bytes lie in the spool folder."""

    __tablename__ = "job_items"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    answer: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]


class KeyRow(Base):
    """A key of the API, without its secret."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[str]
    rate_per_minute: Mapped[int]
    created: Mapped[datetime]
    revoked: Mapped[datetime | None]


class AuditRow(Base):
    """One change; triggers of the database refuse to alter or remove it."""

    __tablename__ = "audit_entries"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str]
    owner: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    count: Mapped[int]
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
