"""infra/aws/set: it changes what was named, keeps all else, and waits until it is so."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SET = os.path.join(os.path.dirname(os.path.dirname(HERE)), "infra", "aws", "set")
# Writes down how it was called, and knows one stack.
FAKE_AWS = """#!{python}
import json, sys
with open({calls!r}, "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[2] == "describe-stacks":
    if sys.argv[4] != "guestlist":
        sys.exit(254)
    there = [{{"ParameterKey": "AtMost", "ParameterValue": "enforce"}}, {{"ParameterKey": "Channels", "ParameterValue": "slack"}}]
    print(json.dumps({{"Stacks": [{{"Parameters": there}}]}}))
"""


class Setting(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.calls = folder.name, os.path.join(folder.name, "calls")
        with open(os.path.join(self.folder, "aws"), "w", encoding="utf-8") as file:
            file.write(FAKE_AWS.format(python=sys.executable, calls=self.calls))
        os.chmod(os.path.join(self.folder, "aws"), 0o755)

    def run_set(self, *arguments):
        surroundings = {**os.environ, "PATH": self.folder + os.pathsep + os.environ["PATH"]}
        ended = subprocess.run([sys.executable, SET, *arguments], env=surroundings, capture_output=True, text=True, check=False)
        calls = []
        if os.path.exists(self.calls):
            with open(self.calls, encoding="utf-8") as file:
                calls = [json.loads(line) for line in file]
        return ended, calls

    def test_one_parameter_changes_and_the_others_stay_with_the_template(self):
        ended, calls = self.run_set("guestlist", "AtMost=observe")
        self.assertEqual((ended.returncode, ended.stdout), (0, "AtMost: enforce -> observe\n"), ended.stderr)
        self.assertEqual([call[1] for call in calls], ["describe-stacks", "update-stack", "wait"])
        update = calls[1]
        self.assertIn("--use-previous-template", update)
        self.assertEqual(json.loads(update[update.index("--parameters") + 1]), [
            {"ParameterKey": "AtMost", "ParameterValue": "observe"}, {"ParameterKey": "Channels", "UsePreviousValue": True}])

    def test_what_is_so_already_is_left_alone(self):
        ended, calls = self.run_set("guestlist", "AtMost=enforce")
        self.assertEqual((ended.returncode, ended.stdout, len(calls)), (0, "nothing to change\n", 1))

    def test_a_wrong_name_a_wrong_stack_and_a_wrong_call_change_nothing(self):
        for arguments, says in [(["guestlist", "Atmost=observe"], "`Atmost` is no parameter of `guestlist`: it has AtMost, Channels"),
                                (["another", "AtMost=observe"], "`aws cloudformation describe-stacks` ended with 254"),
                                (["guestlist"], "say `infra/aws/set STACK NAME=VALUE...`")]:
            ended, calls = self.run_set(*arguments)
            self.assertNotEqual(ended.returncode, 0)
            self.assertIn(says, ended.stderr)
            self.assertFalse([call for call in calls if call[1] == "update-stack"])


if __name__ == "__main__":
    unittest.main()
