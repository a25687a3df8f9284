"""infra/aws/environment: a shell that evaluates its lines knows the stack, and one that fails is told nothing."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ENVIRONMENT = os.path.join(ROOT, "infra", "aws", "environment")
TEMPLATE = os.path.join(ROOT, "infra", "aws", "template.yaml")
TENANT = "c0270500-0000-4000-8000-000000000000"
# Answers with what lies beside it, to whoever asks for the stack `guestlist`.
FAKE_AWS = """#!{python}
import sys
if sys.argv[1:3] != ["cloudformation", "describe-stacks"] or sys.argv[4] != "guestlist":
    sys.exit(254)
print(open({stack!r}).read())
"""
OUTPUTS = {
    "TableName": "guestlist-Table-1",
    "NotificationUrl": "https://a1.execute-api.eu-central-1.amazonaws.com/graph/notifications",
    **{f"{queue}{dead}Url": f"https://sqs.eu-central-1.amazonaws.com/123456789012/guestlist-{queue}{dead}-1"
       for queue in ("Changes", "Remediations", "Alerts", "Chores") for dead in ("", "Dead")},
}


class Environment(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.stack = folder.name, os.path.join(folder.name, "stack.json")
        with open(os.path.join(self.folder, "aws"), "w", encoding="utf-8") as file:
            file.write(FAKE_AWS.format(python=sys.executable, stack=self.stack))
        os.chmod(os.path.join(self.folder, "aws"), 0o755)

    def run_it(self, *arguments, outputs=None, shell=None):
        described = {
            "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/guestlist/1",
            "StackStatus": "CREATE_IN_PROGRESS",
            "Parameters": [{"ParameterKey": name, "ParameterValue": value}
                           for name, value in {"TenantId": TENANT, "Cloud": "us-gov", "AtMost": "ask"}.items()],
            "Outputs": [{"OutputKey": name, "OutputValue": value} for name, value in (outputs or OUTPUTS).items()],
        }
        with open(self.stack, "w", encoding="utf-8") as file:
            json.dump({"Stacks": [described]}, file)
        surroundings = {"PATH": self.folder + os.pathsep + os.environ["PATH"]}
        command = ["sh", "-c", shell] if shell else [sys.executable, ENVIRONMENT, *arguments]
        return subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)

    def test_a_shell_knows_the_stack(self):
        ended = self.run_it(shell=f'eval "$({sys.executable} {ENVIRONMENT} guestlist)" && env')
        known = dict(line.split("=", 1) for line in ended.stdout.splitlines() if line.startswith(("GUESTLIST_", "AWS_")))
        wanted = {"AWS_REGION": "eu-central-1", "GUESTLIST_TENANT_ID": TENANT, "GUESTLIST_CLOUD": "us-gov",
                  "GUESTLIST_TABLE": "guestlist-Table-1",
                  "GUESTLIST_PUBLIC_URL": "https://a1.execute-api.eu-central-1.amazonaws.com"}
        for queue in ("Changes", "Remediations", "Alerts", "Chores"):
            wanted[f"GUESTLIST_QUEUE_{queue.upper()}"] = OUTPUTS[f"{queue}Url"]
            wanted[f"GUESTLIST_DEAD_{queue.upper()}"] = OUTPUTS[f"{queue}DeadUrl"]
        self.assertEqual(known, wanted, ended.stderr)

    def test_what_a_shell_would_carry_out_is_quoted(self):
        hostile = "x'; touch \"$HOME/owned\"; echo `id` $(id)\n#"
        ended = self.run_it(outputs={**OUTPUTS, "TableName": hostile},
                            shell=f'eval "$({sys.executable} {ENVIRONMENT} guestlist)" && printf %s "$GUESTLIST_TABLE"')
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (0, hostile, ""))

    def test_a_stack_that_says_too_little_another_stack_and_a_wrong_call_set_nothing(self):
        few = {name: value for name, value in OUTPUTS.items() if name != "ChoresDeadUrl"}
        for arguments, outputs, says in [
                (["guestlist"], few, "`guestlist` says no ChoresDeadUrl: it is CREATE_IN_PROGRESS"),
                (["another"], None, "`aws cloudformation describe-stacks` ended with 254"),
                ([], None, "say `infra/aws/environment STACK`"),
                (["--help"], None, "say `infra/aws/environment STACK`")]:
            ended = self.run_it(*arguments, outputs=outputs)
            self.assertNotEqual(ended.returncode, 0)
            self.assertIn(says, ended.stderr)
            self.assertEqual(ended.stdout, "")

    def test_the_template_has_every_output_that_is_asked_for(self):
        with open(TEMPLATE, encoding="utf-8") as file:
            outputs = file.read().split("\nOutputs:\n")[1]
        for name in OUTPUTS:
            self.assertIn(f"\n  {name}:\n", "\n" + outputs)


if __name__ == "__main__":
    unittest.main()
