"""infra/entra/setup against a tenant on loopback: what it makes, that it makes it once, and what it says."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
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

    def test_what_a_policy_no_longer_needs_is_taken_away(self):
        self.run_setup("--actions", "delete,leave-group,disable", "--canary", "--who-put-it-back")
        self.assertIn("User.DeleteRestore.All", self.tenant.granted("guestlist-remediate"))
        _, said = self.run_setup("--actions", "disable")
        self.assertEqual(self.tenant.granted("guestlist-remediate"),
                         ["GroupMember.Read.All", "User.EnableDisableAccount.All", "User.Read.All"])
        self.assertIn("take User.DeleteRestore.All from `guestlist-remediate`", said)
        named = self.tenant.apps["guestlist-remediate"]["requiredResourceAccess"][0]["resourceAccess"]
        self.assertEqual(len(named), 3)

    def test_a_role_of_another_name_is_trusted_in_the_place_of_the_one_before(self):
        self.run_setup("--issuer", ISSUER, "--role-prefix", ROLES)
        _, said = self.run_setup("--issuer", ISSUER, "--role-prefix", ROLES + "-2")
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
