// SPDX-License-Identifier: Apache-2.0
"use strict";

// A token that is entered stays in the memory of this page: Swagger UI would store it where persistAuthorization is set.
SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#page",
    deepLinking: true,
    displayRequestDuration: true,
    persistAuthorization: false,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    // Else the document's address goes to a server of Swagger's.
    validatorUrl: null,
});
