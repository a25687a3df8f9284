"""A small, strict Microsoft Graph on loopback: apps, service principals, grants and federated credentials, and no more.

What it does not know is 400. It remembers every write.
"""

import json
import re
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GRAPH_APP = "00000003-0000-0000-c000-000000000000"
TOKEN = "a-token-of-the-test"
ROLES = ["AuditLog.Read.All", "Directory.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All", "GroupMember.Read.All",
         "GroupMember.ReadWrite.All", "User.DeleteRestore.All", "User.EnableDisableAccount.All", "User.Read.All"]


class Answer(Exception):
    def __init__(self, status, body=None):
        super().__init__(status)
        self.status, self.body = status, body


def error(status, code, message="of the test"):
    return Answer(status, {"error": {"code": code, "message": message}})


def expect(holds, why):
    if not holds:
        raise error(400, "Request_BadRequest", why)


class Tenant:
    def __init__(self):
        self.apps, self.principals, self.grants, self.credentials = {}, {}, {}, {}
        self.writes, self.late, self.made = [], 0, 0
        self.roles = {value: f"role-of-{value}" for value in ROLES}

    def fresh(self, kind):
        self.made += 1
        return f"{kind}-{self.made}"

    def granted(self, unique):
        """What the app may do, by name."""
        app = self.apps[unique]
        principal = next(one["id"] for one in self.principals.values() if one["appId"] == app["appId"])
        names = {role: value for value, role in self.roles.items()}
        return sorted(names[one["appRoleId"]] for one in self.grants.get(principal, {}).values())

    def app_of(self, identity):
        found = [app for app in self.apps.values() if app["id"] == identity]
        if not found:
            raise error(404, "Request_ResourceNotFound")
        return found[0]

    def answer(self, method, path, query, headers, body):
        if method != "GET":
            self.writes.append((method, path))
        for pattern, handle in ROUTES:
            match = re.fullmatch(pattern, path)
            if match:
                return handle(self, method, match.groups(), query, headers, body)
        raise error(400, "BadRequest", f"no such resource: {path}")

    def application(self, method, names, _query, headers, body):
        unique = names[0]
        app = self.apps.get(unique)
        if method == "GET":
            if app is None:
                raise error(404, "Request_ResourceNotFound")
            return 200, app
        expect(method == "PATCH" and headers.get("Prefer") == "create-if-missing", "only an upsert is known here")
        expect(set(body) == {"displayName", "signInAudience", "requiredResourceAccess"}, "other members")
        expect(app is None, "there is one")
        self.apps[unique] = {**body, "id": self.fresh("app"), "appId": self.fresh("client"), "uniqueName": unique}
        return 201, self.apps[unique]

    def application_by_id(self, method, names, _query, _headers, body):
        expect(method == "PATCH" and set(body) == {"requiredResourceAccess"}, "only the permissions are changed here")
        self.app_of(names[0]).update(body)
        return 204, None

    def principal_by_app(self, method, names, _query, _headers, _body):
        expect(method == "GET", "GET")
        if names[0] == GRAPH_APP:
            roles = [{"id": role, "value": value, "allowedMemberTypes": ["Application"]} for value, role in self.roles.items()]
            # Of the same name, and for people.
            roles.append({"id": "delegated", "value": "User.Read.All", "allowedMemberTypes": ["User"]})
            return 200, {"id": "graph", "appRoles": roles}
        if names[0] not in self.principals:
            raise error(404, "Request_ResourceNotFound")
        return 200, self.principals[names[0]]

    def new_principal(self, method, _names, _query, _headers, body):
        expect(method == "POST" and set(body) == {"appId"}, "an appId alone")
        expect(any(app["appId"] == body["appId"] for app in self.apps.values()), "no such app")
        self.principals[body["appId"]] = {"id": self.fresh("principal"), **body}
        # The next calls meet a replica that has not heard of it.
        self.late = 2
        return 201, self.principals[body["appId"]]

    def assignments(self, method, names, query, _headers, body):
        if self.late > 0:
            self.late -= 1
            raise error(404, "Request_ResourceNotFound")
        grants = self.grants.setdefault(names[0], {})
        if method == "GET":
            some, skip = list(grants.values()), int(query.get("skip", ["0"])[0])
            page = {"value": some[skip:skip + 2]}
            if len(some) > skip + 2:
                page["@odata.nextLink"] = f"{self.root}/v1.0/servicePrincipals/{names[0]}/appRoleAssignments?skip={skip + 2}"
            return 200, page
        expect(method == "POST" and set(body) == {"principalId", "resourceId", "appRoleId"}, "a grant")
        expect(body["principalId"] == names[0] and body["resourceId"] == "graph", "of this app, on Graph")
        expect(body["appRoleId"] in self.roles.values(), "an application permission")
        expect(all(one["appRoleId"] != body["appRoleId"] for one in grants.values()), "it is granted already")
        identity = self.fresh("grant")
        grants[identity] = {"id": identity, **body}
        return 201, grants[identity]

    def assignment(self, method, names, _query, _headers, _body):
        expect(method == "DELETE", "DELETE")
        if self.grants.get(names[0], {}).pop(names[1], None) is None:
            raise error(404, "Request_ResourceNotFound")
        return 204, None

    def federated(self, method, names, _query, _headers, body):
        found = self.credentials.setdefault(self.app_of(names[0])["id"], {})
        if method == "GET":
            return 200, {"value": list(found.values())}
        expect(method == "POST" and set(body) == {"name", "issuer", "subject", "audiences"}, "a credential")
        expect(len(body["audiences"]) == 1 and body["name"] not in {one["name"] for one in found.values()}, "one of them")
        identity = self.fresh("credential")
        found[identity] = {"id": identity, **body}
        return 201, found[identity]

    def federated_one(self, method, names, _query, _headers, body):
        expect(method == "PATCH" and set(body) == {"issuer", "subject", "audiences"}, "its name stays")
        self.credentials[names[0]][names[1]].update(body)
        return 204, None


ROUTES = [
    (r"/applications\(uniqueName='([^']+)'\)", Tenant.application),
    (r"/applications/([^/()]+)", Tenant.application_by_id),
    (r"/applications/([^/()]+)/federatedIdentityCredentials", Tenant.federated),
    (r"/applications/([^/()]+)/federatedIdentityCredentials/([^/]+)", Tenant.federated_one),
    (r"/servicePrincipals\(appId='([^']+)'\)", Tenant.principal_by_app),
    (r"/servicePrincipals", Tenant.new_principal),
    (r"/servicePrincipals/([^/()]+)/appRoleAssignments", Tenant.assignments),
    (r"/servicePrincipals/([^/()]+)/appRoleAssignments/([^/]+)", Tenant.assignment),
]


class Handler(BaseHTTPRequestHandler):
    def handle_one(self):
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        url = urllib.parse.urlsplit(self.path)
        try:
            expect(url.path.startswith("/v1.0/"), "v1.0")
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise error(401, "InvalidAuthenticationToken")
            body = json.loads(text) if text else None
            path = url.path.removeprefix("/v1.0")
            status, answer = self.server.tenant.answer(self.command, path, urllib.parse.parse_qs(url.query), self.headers, body)
        except Answer as told:
            status, answer = told.status, told.body
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_one

    def log_message(self, format, *arguments):
        pass


def serve():
    """A tenant, its address, and what ends it."""
    tenant = Tenant()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.tenant = tenant
    tenant.root = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def end():
        server.shutdown()
        server.server_close()

    return tenant, end
