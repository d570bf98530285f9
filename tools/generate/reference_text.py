"""The parts of the reference page that a schema cannot express."""

from typing import Final

HEAD: Final = """\
<!-- Generated from `reconciler/specs/schema/job_fields.py`, `reconciler/settings.py` and \
`tools/generate/reference_text.py`: change it there, then run `python -m tools.generate`. -->

# Specs

A spec is a YAML document that declares one batch job, or a [family](#families) of jobs. Specs are in the project's
spec folder (`specs/` unless `reconciler.yaml` sets another) and its subfolders, in files that end in `.yaml` or
`.yml`. A spec in a file with another suffix (`a.YAML`, `a.yml.bak`) is an error, since its job would otherwise count as
removed. One file can hold several specs, separated by `---`. A spec's location and file name do not matter, except for
[`_defaults.yaml`](#_defaultsyaml).

The first line of the example enables completion and checks in editors. The schema is in `schemas/job.schema.json`;
`reconciler schema` prints it. `reconciler validate` checks everything on this page without an API key or a network. It
reports all problems of all files at once, each with file, line, column and a hint."""

FAMILIES: Final = """\
## Families

One spec can declare many jobs. The tool expands a family when it reads the specs: each job is treated as if it had its
own spec, and `reconciler render` prints these specs.

```yaml
name: nightly-{stem}
endpoint: /v1/chat/completions
model: mistral-small-2603
for_each: {files: [data/nightly/*.jsonl]}
metadata: {night: "{stem}"}
```

`for_each` makes one job per file. The file is the only input of its job, and `for_each` replaces `input_files`. A new
file adds a job and leaves the others unchanged. In contrast, if a glob in `input_files` matches a new file, the work of
the job changes and all of it is submitted again. With `for_each`, `on_remove` defaults to `keep`, so rotating a file
away cancels nothing. A glob that matches no file is an error, as everywhere.

```yaml
name: compare-{model}-{rerun}
endpoint: /v1/chat/completions
input_files: [data/questions.jsonl]
matrix:
  model: [ministral-8b-2512, mistral-small-2603, mistral-large-2512]
  rerun: [1, 2]
  exclude: [{model: mistral-large-2512, rerun: 2}]
```

`matrix` makes one job for each combination of values; with `for_each`, one for each file and combination. Write a field
in the spec or in its matrix, not in both. Only `endpoint`, `model`, `agent_id` and `rerun` make different work. Two
combinations that differ only in other fields [share one job](planner.md#several-specs-with-the-same-work).

Use **placeholders** in `name` and in the values of `metadata`; other fields do not support them. There are no
expressions:

| placeholder | with | value |
|---|---|---|
| `{stem}` | `for_each` | the file's name without its extension: `2026-11-23` for `data/nightly/2026-11-23.jsonl` |
| `{dir}` | `for_each` | the name of the file's folder: `nightly` |
| `{path}` | `for_each` | the whole path, relative to the project: for `metadata`, since a name cannot contain `/` |
| `{model}`, `{rerun}`, … | `matrix` | the value of that field, as written |

Each resulting name must be valid and unique; the tool does not replace characters to make it so. An error names the
files and suggests a placeholder. `limits.jobs_per_spec` limits the size of a family.

**Periods.** `rerun: {every: week, zone: Europe/Paris, start: 2026-11-23}` submits the same work once a week: `rerun` is
the name of the week in which the command runs, by the calendar of that zone. Writing `2026-W48` by hand has the same
effect. Each period is submitted once, however often `apply` runs. If `apply` does not run in a period, that period is
skipped. While the job of the previous period is running, the next one waits for it. Before `start`, no job of that
name is created or cancelled, and a warning is shown. The runner's clock decides the period, so a plan saved in one
period is stale in the next."""

DEFAULTS: Final = """\
## `_defaults.yaml`

A file with this name sets fields for every spec in its folder and below; it declares no job itself. It can set the
fields above except `name`, `input_files`, `requests`, `for_each`, `matrix` and `adopt`. The value nearest to the spec
wins, field by field; only `metadata` is merged, key by key. A spec with `agent_id` takes no `model` from it, nor the
other way round, and a spec takes no field that its matrix sets. The schema is in `schemas/defaults.schema.json`.

A change in it changes every spec that takes the field: the plan lists each job that is submitted again, and the file
and line of the new value."""

EFFECTS: Final = """\
## What a change does

| change | effect |
|---|---|
| `endpoint`, `model`, `agent_id` | the work is different: it is submitted, and `on_change` decides about the running \
job |
| the contents of the inputs | the same, but [answered requests](requests.md) are not submitted again |
| `rerun` | the same work is submitted again, once the running job has ended; `reconciler rerun NAME` changes it |
| `metadata`, `timeout_hours`, `on_remove` | nothing is submitted; the next job carries it |
| `suspend`, `retry`, `on_change`, `reuse`, `canary`, `checks` | the next plan uses it; [CI](ci.md) holds a larger \
`max_attempts` |
| `name`, the location of the spec, the names and the order of input files | none: the work is the same |"""

INPUTS: Final = """\
## Inputs

An entry of `input_files` is one of four:

- **a path**, relative to the spec's own folder, with forward slashes: `data/questions.jsonl`, `../common/a.jsonl`;
- **a glob**: `*`, `?` and `[a-z]` match part of one name, `**` any number of folders. Only a pattern that begins with
  a dot matches names that begin with a dot. A glob that matches no file is an error; the order of matches is ignored;
- **the id of an uploaded file** (a UUID). Its content is not read, and its requests are not counted;
- **a URI or a manifest**: see [below](#inputs-elsewhere).

A path must lead to a regular file inside the project (the folder of `reconciler.yaml`), also after links are followed.
A job cannot name a file twice. Files are identified by their bytes. If these change, and not the requests, nothing is
submitted again, but every plan reads the file to find that out. Add `*.jsonl -text` to `.gitattributes`: it keeps git
from changing line endings.

Each line of a file is one request:

```json
{"custom_id": "ticket-17", "body": {"messages": [{"role": "user", "content": "Bonjour"}]}}
```

Every line is checked before anything is sent. It must be a JSON object whose `body` is an object and whose `custom_id`
is text that is not empty and not used by another line of the job. Files must be UTF-8 without a byte order mark and
have lines that end in LF, no empty line, no NaN or Infinity, no lone surrogate, and sizes within
[`limits`](#fields-of-limits). The first 20 problems of a file are shown and the others counted. Line contents are never
printed.

The same rules apply to requests in the spec itself (`requests`). Whole numbers there can be at most 9007199254740991,
since not every JSON reader keeps larger ones exactly; put ids in quotes.

### Inputs elsewhere

A file that another program wrote into an object store stays there:

```yaml
input_files:
  - {uri: s3://lake/night.jsonl, sha256: 0263829989b6fd954f72baaf2fc64bc2e2f01d692d4de72986ea808f6e99813f}
  - {manifest: data/night.json}
```

A manifest is a JSON file in the repository with `uri`, `sha256` and, so that a plan can say them, `requests` and
`bytes`; or a list of such objects, one for each file. A Spark or dbt job writes it beside its files:

```json
[{"uri": "s3://lake/night/part-0.jsonl", "sha256": "0263…813f", "requests": 40000, "bytes": 81920000}]
```

- **The content is the identity**: a file that moves into a store or to another URI submits nothing.
- **A plan reaches no store.** It says "at most", or without `requests` an unknown number, which a guard on new requests
  holds back. What such a job may cost is not known in a plan, so a guard on costs holds it back too.
- **`apply` reads each content once**, if its work may have something to submit: it streams it to this machine
  (`.reconciler/`), checks digest, size, number and every line, and then uploads it. With another content nothing of
  the name is submitted, and the error has both digests. Later applies delete copies that they do not need.
- **Schemes** are `s3`, `gs` and `az`, with the credentials of the environment, and `https` without credentials and
  redirects. The first three need `pip install "mistral-batch-reconciler[objects]"` and the package for the scheme,
  such as s3fs.
- **`input_uris`** in `reconciler.yaml` lists the beginnings that URIs may have, such as `s3://lake/`; without it none
  is allowed. A [policy](policy.md) can bound the list (`allowed_input_uris`)."""

ADOPT: Final = """\
## Adopting existing jobs

A job that was created by hand or by another program has no tags of this tool, so its work is unknown. A spec can
declare it:

```yaml
adopt: {job: 4fb29d1c-…, work: "v1:…"}
```

If you omit `work`, `reconciler validate` shows the digest of the work that the spec declares. `reconciler init
--from-workspace` writes such specs for the running jobs of the workspace.

- **The job counts** as the first job of that work, without a `rerun`: while it runs and after it has succeeded, the
  work is not submitted. If it failed, `retry` and `rerun` apply as usual. A job of this project with the same work
  takes precedence.
- **The job must match the spec** in endpoint, model, number of requests and, if the spec names uploaded files, their
  ids. If it does not match, does not exist or has the tags of another project, nothing is submitted: Hold `not_adopted`
  gives the reason.
- **If the spec changes**, `work` is no longer the work that the spec declares, and the new work is submitted like any
  other change, after the adopted job has ended. You can then remove `adopt`.
- **The tool never cancels the job**, neither for `suspend` nor for a change nor if its spec is removed: nothing in the
  workspace shows that the project owns it, and a spec alone must not stop the jobs of others. To cancel it, run
  `reconciler jobs cancel --foreign`.
- **Its results** are pulled like those of any other job. `history` does not list it: `history` shows jobs with the
  project's tags and jobs in the ledger.
- One spec can adopt one job, and two specs cannot adopt the same job. `adopt` is an error in a family and in
  `_defaults.yaml`."""

TOGETHER: Final = """\
## Rules across specs

These rules are checked in addition to the schema:

- every `name`, including those of a family, is unique in the project, ignoring case, and can be a folder on Windows:
  not `nul` or `con.x`, and no `.` at the end;
- specs with the same work and the same `rerun` share one job, with a warning that names both; for a job of its own,
  change `rerun` in one;
- `metadata` and `rerun` are stored as the text in the file, so `1.10` and `1.1` differ; an unquoted number has at most
  64 characters;
- an `endpoint` that the API does not document is a warning, since the API may add endpoints;
- a file in the spec folder that no spec names is a warning, except Markdown (`.md`) and hidden files; so is a YAML file
  that declares nothing. A `reconciler.yaml` in the spec folder is not read as a spec;
- links are followed. A link that leads out of the project, to a missing file or to a folder that contains it is an
  error. So are a folder that cannot be read and a name with invisible characters: nothing is skipped silently.

Every command reads the whole spec folder. A path on the command line selects the jobs declared there; it never makes
another spec count as removed."""

YAML: Final = """\
## The YAML dialect

Specs are YAML 1.2 with the core schema, in UTF-8:

- only `true` and `false` (also `True`, `TRUE`, …) are booleans; `yes`, `no`, `on` and `off` are text, and so
  is `1_000`. In an inline body, such a word is a warning unless its field holds text;
- `012` is twelve, `0o14` and `0xC` are twelve as well, `1e3` is a number;
- dates, times such as `12:30:45`, and versions such as `1.2.3` are text;
- empty, `~` and `null` are null.

These are errors, because YAML readers disagree about them or a spec does not need them: duplicate keys in a mapping,
keys that are not text, tags (`!…`), merge keys (`<<`), `.inf` and `.nan`, directives (`%…`) other than `%YAML 1.2`,
invisible characters, and files that exceed the size, depth or number of values (aliases expanded) under
[`limits`](#fields-of-limits). Anchors and aliases within one document are allowed."""

SETTINGS: Final = """\
## reconciler.yaml

The settings file is in the root of the project. Commands find it from any folder below. `--config` selects another
file. A flag overrides an environment variable, and that overrides the file. The schema is in
`schemas/reconciler.schema.json`."""

ENVIRONMENTS: Final = """\
## Environments

In place of `project`, the file can have environments. Each is a project of its own with the same specs, in which it can
replace fields, and single values of `guards` and `apply`. `--env dev` or `RECONCILER_ENV=dev` chooses one; without a
choice, only `validate` works, and checks all. The plan names the environment, and its results are in a folder of its
name below `results`. The API key is always in `MISTRAL_API_KEY`, so set that for each environment too.

A glob that matches no spec is an error, and so is a field that two globs set in one spec. Names match as the specs
write them: `nightly-*` matches `nightly-{stem}`. In a workspace that two environments share, work that one has
submitted is refused in the other, unless that has `guards: {allow_created_elsewhere: true}`."""
