/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_API_OPENAPI_H
#define EXC_API_OPENAPI_H

/* cloud/api/openapi.json, which the build makes a C string of. */
extern const char openapi_text[];

#endif
