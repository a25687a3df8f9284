"""infra/entra/setup against a tenant on loopback: what it makes, that it makes it once, and what it says."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest

import fake_graph

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ISSUER = "https://00000000-0000-4000-8000-000000000000.tokens.sts.global.api.aws"
ROLES = "arn:aws:iam::123456789012:role/guestlist"


def load(path, name):
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(ROOT, path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class Entra(unittest.TestCase):
    def setUp(self):
        self.setup = load("infra/entra/setup", "entra_setup")
        self.setup.PAUSE_SECONDS = 0
        self.tenant, end = fake_graph.serve()
        self.addCleanup(end)
        os.environ["GRAPH_TOKEN"] = os.environ["FAKE_AZ_TOKEN"] = fake_graph.TOKEN
        # Nothing on this machine may stand between us and loopback.
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"

    def run_setup(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            self.setup.run(["--graph-url", self.tenant.root, *arguments])
        return out.getvalue(), err.getvalue()

    def fails(self, *arguments):
        with self.assertRaises(self.setup.Failed) as failed:
            self.run_setup(*arguments)
        return str(failed.exception)

    def validated(self, **members):
        file = tempfile.NamedTemporaryFile("w", suffix=".json", delete=False)
        self.addCleanup(os.unlink, file.name)
        with file:
            json.dump({"valid": True, "write_permissions": [], **members}, file)
        return file.name

    def test_each_function_has_an_app_with_exactly_what_it_needs_and_trusts_its_role_alone(self):
        validated = self.validated(write_permissions=["GroupMember.ReadWrite.All", "User.Read.All", "GroupMember.Read.All"])
        out, said = self.run_setup("--validated", validated, "--conditions", "inviter", "--issuer", ISSUER, "--role-prefix", ROLES)
        self.assertEqual(self.tenant.granted("guestlist-assess"),
                         ["AuditLog.Read.All", "Group.Read.All", "GroupMember.Read.All", "User.Read.All"])
        self.assertEqual(self.tenant.granted("guestlist-remediate"),
                         ["GroupMember.Read.All", "GroupMember.ReadWrite.All", "User.Read.All"])
        self.assertEqual(self.tenant.granted("guestlist-steward"), ["Group.Read.All", "User.Read.All"])
        for name in ("assess", "remediate", "steward"):
            app = self.tenant.apps[f"guestlist-{name}"]
            self.assertEqual(app["signInAudience"], "AzureADMyOrg")
            [trusted] = self.tenant.credentials[app["id"]].values()
            self.assertEqual((trusted["issuer"], trusted["subject"], trusted["audiences"]),
                             (ISSUER, f"{ROLES}-{name}", ["api://AzureADTokenExchange"]))
            self.assertIn(f"{name.capitalize()}ClientId={app['appId']}\n", out)
        self.assertIn("grant GroupMember.ReadWrite.All to `guestlist-remediate`", said)

    def test_a_second_run_changes_nothing(self):
        arguments = ["--actions", "disable,leave-groups", "--issuer", ISSUER, "--role-prefix", ROLES]
        first, _ = self.run_setup(*arguments)
        self.tenant.writes.clear()
        second, said = self.run_setup(*arguments)
        self.assertEqual((self.tenant.writes, first, said), ([], second, "nothing to change\n"))

    def test_a_dry_run_says_everything_and_writes_nothing(self):
        arguments = ["--actions", "disable", "--issuer", ISSUER, "--role-prefix", ROLES]
        out, said = self.run_setup(*arguments, "--dry-run")
        self.assertEqual(self.tenant.writes, [])
        self.assertEqual(out, "AssessClientId=<its id>\nRemediateClientId=<its id>\nStewardClientId=<its id>\n")
        for line in ("would create the app `guestlist-assess`", "would grant User.EnableDisableAccount.All to `guestlist-remediate`",
                     f"would let `guestlist-steward` trust {ROLES}-steward"):
            self.assertIn(line + "\n", said)
        self.run_setup(*arguments)
        _, said = self.run_setup(*arguments, "--dry-run")
        self.assertEqual(said, "nothing to change\n")

    def test_what_was_named_in_another_run_stays_and_is_told(self):
        self.run_setup("--actions", "delete,disable", "--conditions", "inviter", "--canary", "--who-put-it-back")
        before = {name: self.tenant.granted(f"guestlist-{name}") for name in ("assess", "remediate", "steward")}
        declared = json.dumps(self.tenant.apps)
        self.tenant.writes.clear()
        # What credential-trouble and the README have people do: another run, which names less.
        _, said = self.run_setup("--actions", "delete,disable", "--dry-run")
        _, again = self.run_setup("--actions", "delete,disable")
        self.assertEqual((self.tenant.writes, said), ([], again))
        self.assertEqual(before, {name: self.tenant.granted(f"guestlist-{name}") for name in before})
        self.assertEqual(json.dumps(self.tenant.apps), declared)
        self.assertEqual(said.splitlines(), [
            "keep AuditLog.Read.All of `guestlist-assess`, which nothing that you named needs: "
            "name what does (`--conditions inviter`), or take it with `--take`",
            "keep GroupMember.Read.All of `guestlist-assess`, which nothing that you named needs: "
            "name what does (`--conditions inviter`), or take it with `--take`",
            "keep AuditLog.Read.All of `guestlist-remediate`, which nothing that you named needs: "
            "name what does (`--who-put-it-back`), or take it with `--take`",
            "keep GroupMember.ReadWrite.All of `guestlist-remediate`, which nothing that you named needs: "
            "name what does (`--canary` or `--actions leave-group` or `--actions leave-groups`), or take it with `--take`",
            "nothing to change"])

    def test_a_run_that_names_less_does_everything_else(self):
        self.run_setup("--conditions", "inviter", "--canary")
        _, said = self.run_setup("--actions", "disable", "--issuer", ISSUER, "--role-prefix", ROLES)
        self.assertIn("AuditLog.Read.All", self.tenant.granted("guestlist-assess"))
        self.assertEqual(self.tenant.granted("guestlist-remediate"),
                         ["GroupMember.Read.All", "GroupMember.ReadWrite.All", "User.EnableDisableAccount.All", "User.Read.All"])
        self.assertEqual(len(self.tenant.credentials), 3)
        self.assertIn("grant User.EnableDisableAccount.All to `guestlist-remediate`\n", said)
        self.assertNotIn("take User", said)
        named = self.tenant.apps["guestlist-remediate"]["requiredResourceAccess"][0]["resourceAccess"]
        self.assertEqual(len(named), 4)

    def test_what_nothing_needs_is_taken_only_when_told_to_and_of_graph_alone(self):
        self.run_setup("--actions", "delete,leave-group,disable", "--canary", "--who-put-it-back")
        app = self.tenant.apps["guestlist-remediate"]
        other = {"resourceAppId": "of-another-api", "resourceAccess": [{"id": "its-role", "type": "Role"}]}
        app["requiredResourceAccess"].append(other)
        principal = self.tenant.principals[app["appId"]]["id"]
        self.tenant.grants[principal]["odd"] = {"id": "odd", "principalId": principal, "resourceId": "graph",
                                                "appRoleId": self.tenant.roles["Directory.ReadWrite.All"]}
        _, said = self.run_setup("--actions", "disable")
        self.assertIn("keep Directory.ReadWrite.All of `guestlist-remediate`, which nothing that you named needs: "
                      "take it with `--take`\n", said)
        self.assertIn("User.DeleteRestore.All", self.tenant.granted("guestlist-remediate"))
        _, said = self.run_setup("--actions", "disable", "--take")
        self.assertEqual(self.tenant.granted("guestlist-remediate"),
                         ["GroupMember.Read.All", "User.EnableDisableAccount.All", "User.Read.All"])
        self.assertIn("take User.DeleteRestore.All from `guestlist-remediate`", said)
        self.assertNotIn("keep", said)
        graph, kept = app["requiredResourceAccess"]
        self.assertEqual((len(graph["resourceAccess"]), kept), (3, other))

    def test_a_second_stack_does_not_lock_out_the_first(self):
        self.run_setup("--actions", "disable", "--issuer", ISSUER, "--role-prefix", ROLES)
        # Only the last of them differs: the others are not touched either.
        app = self.tenant.apps["guestlist-steward"]["id"]
        [trusted] = self.tenant.credentials[app].values()
        trusted["subject"] = f"{ROLES}-old-steward"
        self.tenant.writes.clear()
        for issuer, arguments in [(ISSUER, []), (ISSUER.replace("00", "11", 1), []), (ISSUER, ["--dry-run"])]:
            with self.subTest(issuer=issuer, arguments=arguments):
                ended = subprocess.run(
                    [sys.executable, os.path.join(ROOT, "infra/entra/setup"), "--graph-url", self.tenant.root, "--actions", "delete",
                     "--issuer", issuer, "--role-prefix", f"{ROLES}-2", *arguments],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
                self.assertEqual((ended.returncode, ended.stdout, self.tenant.writes), (2, "", []))
                self.assertEqual(ended.stderr.count("\n"), 1)
                for part in (f"`guestlist-assess` trusts `{ROLES}-assess` of `{ISSUER}`", f"trusted `{ROLES}-2-assess` of `{issuer}`",
                             "with `--name`", "with `--take`", "nothing was changed"):
                    self.assertIn(part, ended.stderr)
        # That of steward alone, which comes last.
        self.assertIn(f"`guestlist-steward` trusts `{ROLES}-old-steward`",
                      self.fails("--actions", "delete", "--issuer", ISSUER, "--role-prefix", ROLES))
        self.assertEqual(self.tenant.writes, [])

    def test_another_name_makes_apps_of_its_own(self):
        first, _ = self.run_setup("--actions", "disable", "--issuer", ISSUER, "--role-prefix", ROLES)
        before = json.dumps([self.tenant.credentials, self.tenant.grants])
        arguments = ["--name", "guestlist-2", "--actions", "delete", "--issuer", ISSUER, "--role-prefix", f"{ROLES}-2"]
        second, said = self.run_setup(*arguments)
        self.assertIn("create the app `guestlist-2-assess`\n", said)
        self.assertIn("grant User.DeleteRestore.All to `guestlist-2-remediate`\n", said)
        self.assertFalse(set(first.splitlines()) & set(second.splitlines()))
        self.assertEqual([self.tenant.apps[f"{name}-assess"]["displayName"] for name in ("guestlist", "guestlist-2")],
                         ["Guestlist assess", "Guestlist-2 assess"])
        for name in ("assess", "remediate", "steward"):
            subjects = [[one["subject"] for one in self.tenant.credentials[self.tenant.apps[f"{prefix}-{name}"]["id"]].values()]
                        for prefix in ("guestlist", "guestlist-2")]
            self.assertEqual(subjects, [[f"{ROLES}-{name}"], [f"{ROLES}-2-{name}"]])
        self.assertEqual(self.tenant.granted("guestlist-remediate"),
                         ["GroupMember.Read.All", "User.EnableDisableAccount.All", "User.Read.All"])
        credentials, grants = json.loads(before)
        self.assertEqual({**self.tenant.credentials, **credentials}, self.tenant.credentials)
        self.assertEqual({**self.tenant.grants, **grants}, self.tenant.grants)
        self.assertEqual(self.run_setup(*arguments), (second, "nothing to change\n"))

    def test_a_role_of_another_name_is_trusted_in_the_place_of_the_one_before_when_told_to(self):
        self.run_setup("--issuer", ISSUER, "--role-prefix", ROLES)
        _, said = self.run_setup("--issuer", ISSUER, "--role-prefix", ROLES + "-2", "--take")
        self.assertIn(f"let `guestlist-assess` trust {ROLES}-2-assess, and not {ROLES}-assess", said)
        [trusted] = self.tenant.credentials[self.tenant.apps["guestlist-assess"]["id"]].values()
        self.assertEqual(trusted["subject"], f"{ROLES}-2-assess")

    def test_az_does_the_same_with_its_own_sign_in(self):
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(os.path.join(HERE, "fake_az"), os.path.join(folder, "az"))
            before = os.environ["PATH"]
            self.addCleanup(os.environ.__setitem__, "PATH", before)
            os.environ["PATH"] = folder + os.pathsep + before
            del os.environ["GRAPH_TOKEN"]
            self.run_setup("--with", "az", "--actions", "disable")
            _, said = self.run_setup("--with", "az", "--actions", "disable")
        self.assertEqual(said, "nothing to change\n")
        self.assertEqual(self.tenant.granted("guestlist-steward"), ["Group.Read.All", "User.Read.All"])

    def test_what_is_wrong_is_told_before_anything_is_written(self):
        for arguments, says in [
            (["--actions", "disble"], "`disble` is no action: use delete, disable"),
            (["--conditions", "moon"], "`moon` is no condition: use domain, inviter"),
            (["--validated", self.validated(valid=False)], "is not valid; mend it first"),
            (["--validated", self.validated(write_permissions=["Directory.ReadWrite.All"])],
             "`Directory.ReadWrite.All` is no permission that an action declares"),
            (["--validated", "/nowhere.json"], "cannot read `/nowhere.json`"),
            (["--issuer", ISSUER + "/", "--role-prefix", ROLES], "without a slash at its end"),
            (["--name", "o'neil"], "letters, digits and hyphens, like the name of a stack, not `o'neil`"),
            (["--name", ""], "--name is a letter"),
            (["--issuer", ISSUER], "--role-prefix is what the roles' ARNs begin with"),
            (["--graph-url", "http://graph.microsoft.com"], "is not the root of Microsoft Graph"),
        ]:
            with self.subTest(arguments=arguments):
                self.assertIn(says, self.fails(*arguments))
        del self.tenant.roles["User.EnableDisableAccount.All"]
        self.assertIn("no application permission `User.EnableDisableAccount.All` in this cloud", self.fails("--actions", "disable"))
        os.environ["GRAPH_TOKEN"] = "another"
        self.assertIn("Microsoft Graph answers 401 InvalidAuthenticationToken", self.fails())
        del os.environ["GRAPH_TOKEN"]
        self.assertIn("GRAPH_TOKEN is not set", self.fails())
        self.assertEqual(self.tenant.writes, [])


if __name__ == "__main__":
    unittest.main()
