/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/precondition.h"

bool precondition_needs_current(const struct request *request) {
        return request->match == MATCH_ANY;
}

bool precondition_expected(struct request *request, int64_t current, int64_t *ret_expected) {
        switch (request->match) {
        case MATCH_NONE:
                *ret_expected = 0;
                return true;
        case MATCH_ABSENT:
                *ret_expected = -1;
                return true;
        case MATCH_VERSION:
                *ret_expected = request->match_version;
                return true;
        case MATCH_ANY:
                *ret_expected = current;
                return current > 0 || request_refuse(request, API_ERROR_PRECONDITION_FAILED,
                                                     "If-Match: there is none; create it without If-Match");
        }
        return false;
}
