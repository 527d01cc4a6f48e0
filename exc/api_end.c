/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/api_end.h"

enum api_end api_end_of(CURLcode result, long proxy_status) {
        if (proxy_status != 0 && proxy_status / 100 != 2)
                return API_NO_PROXY;
        switch (result) {
        case CURLE_COULDNT_RESOLVE_HOST:
                return API_NO_NAME;
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_PROXY:
                return API_NO_PROXY;
        case CURLE_COULDNT_CONNECT:
        case CURLE_INTERFACE_FAILED:
                return API_NO_CONNECTION;
        case CURLE_OPERATION_TIMEDOUT:
                return API_TIMED_OUT;
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_INVALIDCERTSTATUS:
        case CURLE_SSL_CACERT_BADFILE:
                return API_TLS;
        case CURLE_GOT_NOTHING:
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR:
        case CURLE_PARTIAL_FILE:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM:
                return API_CUT;
        case CURLE_FILESIZE_EXCEEDED:
                return API_TOO_LARGE;
        case CURLE_OUT_OF_MEMORY:
        case CURLE_WRITE_ERROR:
        case CURLE_FAILED_INIT:
        case CURLE_URL_MALFORMAT:
        case CURLE_NOT_BUILT_IN:
                return API_OWN_FAILURE;
        default: /* HTTP/0.9, headers without end, and the like */
                return API_FOREIGN;
        }
}
