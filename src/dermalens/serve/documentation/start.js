// Runs after swagger-ui-bundle.js: both are deferred, and deferred scripts keep their order.
window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null, // it would ask another host
});
