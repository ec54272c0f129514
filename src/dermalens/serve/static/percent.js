// Shares as `Language.percent` of the server writes them with one decimal.
const SMALLEST = 0.001;

// What would be rounded to none, or to all, is said to be less, or more.
export function percentIn(language) {
  const one = { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1, roundingMode: "halfEven" };
  const { format } = new Intl.NumberFormat(language, one);
  return (share) => {
    if (share > 0 && share <= SMALLEST / 2) return `< ${format(SMALLEST)}`;
    if (share < 1 && share >= 1 - SMALLEST / 2) return `> ${format(1 - SMALLEST)}`;
    return format(share);
  };
}
