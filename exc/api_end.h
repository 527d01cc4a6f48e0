/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_EXC_API_END_H
#define EXC_EXC_API_END_H

#include <curl/curl.h>

#include "exc/api.h"

/* What a failure of libcurl is. `proxy_status`: of the proxy's answer to CONNECT; 0: none. */
enum api_end api_end_of(CURLcode result, long proxy_status);

#endif
