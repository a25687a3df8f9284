"""infra/aws/build: the same input is the same zip, and what is too large is told."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile

from test_entra import load


class Zips(unittest.TestCase):
    def setUp(self):
        self.build = load("infra/aws/build", "aws_build")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        for name in ("assess", "alert"):
            self.write(f"made/guestlist-{name}/bootstrap", f"the binary of {name}" * 1000)
        self.write("policy/policy.yaml", "version: 1\n")
        self.write("policy/lists/consumer.txt", "consumer.example\n")

    def write(self, path, text):
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def pack(self, output, **more):
        policy = self.build.policy_files(os.path.join(self.folder, "policy"))
        output = os.path.join(self.folder, output)
        with contextlib.redirect_stdout(io.StringIO()):
            self.build.pack_all(os.path.join(self.folder, "made"), ["alert", "assess"], policy, output, **more)
        zips = {}
        for name in sorted(os.listdir(output)):
            with open(os.path.join(output, name), "rb") as file:
                zips[name] = file.read()
        return zips

    def test_one_input_is_the_same_bytes_whenever_and_by_whomever_it_is_packed(self):
        first = self.pack("first")
        for parent, _, names in os.walk(self.folder):
            for name in names:
                os.utime(os.path.join(parent, name), (1_000_000_000, 1_000_000_000))
                os.chmod(os.path.join(parent, name), 0o600)
        self.assertEqual(first, self.pack("second"))
        self.write("made/guestlist-alert/bootstrap", "another")
        self.assertNotEqual(first["alert.zip"], self.pack("third")["alert.zip"])

    def test_a_zip_holds_the_binary_and_where_it_is_judged_the_policy_all_of_which_lambda_can_read(self):
        zips = self.pack("zips")
        self.assertEqual(list(zips), ["alert.zip", "assess.zip"])
        with zipfile.ZipFile(io.BytesIO(zips["alert.zip"])) as alert:
            self.assertEqual(alert.namelist(), ["bootstrap"])
        with zipfile.ZipFile(io.BytesIO(zips["assess.zip"])) as assess:
            self.assertEqual(assess.namelist(), ["bootstrap", "lists/consumer.txt", "policy.yaml"])
            self.assertEqual({entry.external_attr >> 16 for entry in assess.infolist()}, {0o100755})
            self.assertEqual({entry.date_time for entry in assess.infolist()}, {(1980, 1, 1, 0, 0, 0)})

    def test_a_zip_above_its_budget_fails_by_name(self):
        with self.assertRaises(SystemExit) as told:
            self.pack("zips", most=300)
        self.assertIn("assess: larger than 300 bytes", str(told.exception))

    def test_what_a_function_has_nothing_to_do_with_is_found_in_it(self):
        for holds, told in [("SQLite format 3", "`alert` holds the embedded store"), ("guardrails", "`alert` holds the policy"),
                            ("GET /organization", "`alert` holds reads of Microsoft Graph"),
                            ("DELETE /groups/1/members/2/$ref", "`alert` holds writes to the tenant")]:
            self.write("made/guestlist-alert/bootstrap", f"the binary of alert: {holds}")
            with self.assertRaises(SystemExit) as ended:
                self.pack("zips")
            self.assertIn(told, str(ended.exception))
        self.write("made/guestlist-alert/bootstrap", "the binary of alert")
        self.write("made/guestlist-assess/bootstrap", "the binary of assess: guardrails, /organization")
        self.assertIn("assess.zip", self.pack("zips"))

    def test_a_folder_without_a_policy_and_one_that_hides_the_binary_are_refused(self):
        self.write("policy/bootstrap", "not the binary")
        with self.assertRaises(SystemExit) as told:
            self.pack("zips")
        self.assertIn("holds a file `bootstrap`", str(told.exception))
        os.unlink(os.path.join(self.folder, "policy/policy.yaml"))
        with self.assertRaises(SystemExit) as told:
            self.pack("zips")
        self.assertIn("holds no `policy.yaml`", str(told.exception))

    def run_with(self, cargo, *arguments):
        """The whole script, with this in the place of cargo. Answers how it ended, what it said, and what it asked of cargo."""
        path = os.path.join(self.folder, "bin", "cargo")
        self.write("bin/cargo", f'#!/bin/sh\necho "$@" >> "{self.folder}/asked"\n{cargo}\n')
        os.chmod(path, 0o755)
        script = os.path.join(os.path.dirname(self.build.HERE), "aws", "build")
        output = os.path.join(self.folder, "zips")
        surroundings = {**os.environ, "PATH": os.path.dirname(path) + os.pathsep + os.environ["PATH"]}
        ended = subprocess.run([sys.executable, script, "--output", output, *arguments], capture_output=True, text=True,
                               env=surroundings, check=False)
        with open(os.path.join(self.folder, "asked"), encoding="utf-8") as asked:
            return ended, asked.read(), output

    def test_a_policy_that_is_not_valid_is_not_packed_and_its_problems_are_told(self):
        folder = os.path.join(self.folder, "policy")
        says = "policy.yaml:2:1: unknown field `mood`, did you mean `mode`?"
        ended, asked, output = self.run_with(f"echo '{says}'; exit 3", "--policy", folder)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(says, ended.stderr)
        self.assertIn("nothing was packed", ended.stderr)
        wanted = f"run --locked --quiet --package guestlist --bin guestlist -- validate {folder}/policy.yaml\n"
        self.assertEqual(asked, wanted, "and nothing else: no function was compiled")
        self.assertFalse(os.path.exists(output))

    def test_a_valid_policy_goes_on_to_be_packed(self):
        self.build.ROOT = self.folder
        self.write("bin/cargo", "#!/bin/sh\nexit 0\n")
        os.chmod(os.path.join(self.folder, "bin", "cargo"), 0o755)
        before = os.environ["PATH"]
        os.environ["PATH"] = os.path.join(self.folder, "bin") + os.pathsep + before
        self.addCleanup(os.environ.__setitem__, "PATH", before)
        self.build.validate(os.path.join(self.folder, "policy"))

    def test_every_function_is_built(self):
        names = self.build.functions()
        self.assertGreaterEqual(set(names), {"notifications", "assess", "remediate", "alert", "steward"})
        self.assertLessEqual(set(self.build.WITH_POLICY), set(names))


if __name__ == "__main__":
    unittest.main()
