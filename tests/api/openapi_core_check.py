# SPDX-License-Identifier: Apache-2.0
"""
openapi_core_check.py DOCUMENT: validates each exchange (recorded.py) of standard input, one JSON object a line, with
openapi-core. contract_test.py runs it with the python of Debian 13.
"""

import json
import sys
import urllib.parse

import openapi_core
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.exceptions import PathNotFound, OperationNotFound
from openapi_core.testing import MockRequest, MockResponse


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        document = openapi_core.OpenAPI.from_dict(json.load(file))
    requests = responses = 0
    for line in sys.stdin:
        exchange = json.loads(line)
        path, _, query = exchange["path"].partition("?")
        body = None if exchange["body"] is None else json.dumps(exchange["body"]).encode()
        request = MockRequest("http://localhost", exchange["method"].lower(), path,
                              args=dict(urllib.parse.parse_qsl(query)), headers=exchange["headers"],
                              data=body, content_type="application/json" if body is not None else None)
        headers = exchange["answer_headers"]
        response = MockResponse(exchange["data"].encode(), exchange["status"], headers, headers.get("Content-Type", ""))
        try:
            document.validate_response(request, response)
            responses += 1
            # One that succeeds is as the document has it.
            if exchange["status"] < 300:
                document.validate_request(request)
                requests += 1
        except (PathNotFound, OperationNotFound):
            if exchange["status"] not in (400, 404, 405):
                sys.exit(f"not in the document: {exchange}")
        except OpenAPIError as fault:
            sys.exit(f"{exchange['method']} {exchange['path']} {exchange['status']}: {fault!r}: {fault.__cause__!r}: "
                     f"{exchange['data'][:1000]}")
    print(f"openapi-core {openapi_core.__version__}: {requests} requests and {responses} responses")


main()
