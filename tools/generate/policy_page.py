"""The page of policies: the text is here, and the table of fields is written from the schema."""

from __future__ import annotations

from typing import Final

from tools.generate import reference, spec_schemas

EXAMPLE: Final = """\
message: Ask in the channel batch-platform.
allowed_models: [mistral-small-*, mistral-embed-*]
required_metadata:
  team: [search, billing]
  cost_centre: ["cc-[0-9][0-9][0-9]"]
may_adopt: false
max_guards: {max_new_requests: 50000, max_requests_per_day: 200000, allow_created_elsewhere: false}
max_limits: {requests_per_job: 100000}
required_apply: {only_from: [main], clean: true}
"""
"""A policy; a test reads it."""

HEAD: Final = """\
<!-- Generated from `reconciler/specs/schema/project_files.py` and `tools/generate/policy_page.py`: change it there,
then run `python -m tools.generate`. -->

# A policy that a pull request cannot raise

A pull request can change every file of its repository, the guards in `reconciler.yaml` too. A policy is a YAML file
outside of the repository that says what specs and settings may say:"""

TEXT: Final = """\
`--policy FILE` or the variable `RECONCILER_POLICY` names the file. `validate`, `plan`, `apply` and the other
commands that act on specs then report everything that the policy forbids, with the place in the spec or in the
settings, the line of the policy and its `message`:

```
specs/a.yaml:3:8: model: the policy does not allow `mistral-large-2512`
  hint: allowed: mistral-small-*, mistral-embed-* (policy.yaml:2). Ask in the channel batch-platform.
```

- **A guard or limit** that is written above its ceiling is an error. One that is not written has its default, or
  the ceiling if that is lower. Options such as `--max-new-requests` may not exceed a ceiling either. A policy
  cannot raise what is built in.
- **A rule about the checkout** in `required_apply` counts whether the settings have it or not. A looser one in the
  settings is an error, and so is the `allow_…` that waives it.
- **Globs** have `*`, `?` and `[a-z]`, and match the whole text; `*` also matches `/`.
- **Fail closed.** A file that does not exist, has a mistake or an unknown field, or is in the checkout (links
  followed) ends the command.
- **The plan** names the policy and its SHA-256, in its header and as `plan.policy` in JSON. A saved plan is checked
  again: specs must be within the policy of the `apply`.
- **Not affected** are commands that only show jobs, and `jobs cancel`. A policy does not cancel a job that is
  running.
- **Not checked** are the requests, the model of an agent, and the project's name, which `reconciler.yaml` gives. An
  alias such as `mistral-small-latest` is checked by its name.

## On GitHub

1. Put the policy into another repository, which the authors of specs cannot change.
2. Set the variable `RECONCILER_POLICY` of the organization or repository to `OWNER/REPOSITORY/PATH`, with `@REF`
   behind it for another branch, a tag or a commit. The action then downloads the file, outside of the checkout, for
   every job that checks specs, in a merge queue too. If it cannot, the job fails.
3. If that repository is private, add the secret `RECONCILER_POLICY_TOKEN`: a token that may read the contents of
   that repository, and nothing else.
4. Let `CODEOWNERS` protect `.github/`: who changes a workflow can leave out the policy.

GitHub passes neither variables nor secrets to a pull request of a fork: it is checked when it is applied. If the
policy's repository is public, write its name into `plan.yml` in place of `vars.RECONCILER_POLICY`, and forks are
checked too.

## Elsewhere

Download the file outside of the checkout before the first command, and set `RECONCILER_POLICY` to its path:

```sh
git clone --depth 1 --quiet https://HOST/PLATFORM/policy.git "$HOME/policy"
export RECONCILER_POLICY="$HOME/policy/policy.yaml"
```

[Policies for plans](policies.md) check with OPA or conftest what this file cannot express.

## Fields

`schemas/policy.schema.json` has them for editors; `reconciler schema policy` prints it."""


def page() -> str:
    """Return `docs/policy.md`."""
    schema = spec_schemas.schema("policy")
    blocks = [HEAD, f"```yaml\n{EXAMPLE}```", TEXT, *reference.fields(schema, schema)]
    blocks += [
        block
        for name in ("max_guards", "max_limits", "required_apply")
        for block in reference.inner(name, schema)
    ]
    return "\n\n".join(blocks) + "\n"
