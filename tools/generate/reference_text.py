"""The parts of the reference page that no schema can say."""

from typing import Final

HEAD: Final = """\
<!-- Generated from `reconciler/specs/schema/job_fields.py`, `reconciler/settings.py` and \
`tools/generate/reference_text.py`: change it there, then run `python -m tools.generate`. -->

# Specs

A spec is a YAML document that declares one batch job, or a [family](#families) of them. Specs lie in the project's
spec folder (`specs/` unless `reconciler.yaml` says otherwise), in files that end in `.yaml` or `.yml`, in as many
folders as you like; a file holds several when they are divided by `---`. Where a spec lies, and what its file is
called, has no meaning, [`_defaults.yaml`](#_defaultsyaml) excepted.

The first line below gives editors completion and checking; the schema is in `schemas/job.schema.json`, and
`reconciler schema` prints it. `reconciler validate` checks everything on this page without a key and without the
network, and tells every problem of every file at once: file, line, column, and what to do."""

FAMILIES: Final = """\
## Families

One spec may declare many jobs. They are made when specs are read, before anything is compared: each is a job as if it
had a spec of its own, and `reconciler render` prints those specs.

```yaml
name: nightly-{stem}
endpoint: /v1/chat/completions
model: mistral-small-latest
for_each: {files: [data/nightly/*.jsonl]}
metadata: {night: "{stem}"}
```

`for_each` makes one job a file, and the file is that job's one input: it stands in place of `input_files`. One more
file is one more job, and the others stay as they are; a glob in `input_files` that grows is other work, and all of it
is bought again. `on_remove` is `keep` here unless it is written: a file that is rotated away cancels nothing. A glob
that matches nothing is a problem, as everywhere.

```yaml
name: compare-{model}-{rerun}
endpoint: /v1/chat/completions
input_files: [data/questions.jsonl]
matrix:
  model: [ministral-8b-latest, mistral-small-latest, mistral-large-latest]
  rerun: [1, 2]
  exclude: [{model: mistral-large-latest, rerun: 2}]
```

`matrix` makes one job for each combination of values; with `for_each` both multiply. A field stands in the spec or in
its matrix, not in both. Only `endpoint`, `model`, `agent_id` and `rerun` make other work: values of the others alone
would buy the same twice, which is refused.

**Placeholders** stand in `name` and in the values of `metadata`, and nowhere else; there are no expressions:

| placeholder | with | stands for |
|---|---|---|
| `{stem}` | `for_each` | the file's name without its ending: `2026-11-23` for `data/nightly/2026-11-23.jsonl` |
| `{dir}` | `for_each` | the name of the folder that holds the file: `nightly` |
| `{path}` | `for_each` | the whole path, relative to the project: for `metadata`, since a name holds no `/` |
| `{model}`, `{rerun}`, … | `matrix` | the value of that field, as written |

The names must be names, and unique; nothing is replaced to make them so. An error names the file, or both, and the
placeholder that mends it. `limits.jobs_per_spec` bounds a family.

**Periods.** `rerun: {every: week, zone: Europe/Paris, start: 2026-11-23}` asks for the same work once a week: `rerun`
is the name of the week in which the command runs, by the calendar of that zone, and `2026-W48` written by hand is the
same. However often it runs, each period is bought once; a period in which nothing ran is not made up for. While the
job of the period before is still running, the next waits for it. Before `start` nothing is bought, and no job of that
name is cancelled; a warning says so. What the clock of the runner says counts, so a saved plan from before a border
is stale after it."""

DEFAULTS: Final = """\
## `_defaults.yaml`

A file of this name gives fields to every spec in its folder and below; it declares no job itself. It holds the fields
above except `name`, `input_files`, `requests`, `for_each` and `matrix`. What is written nearest to the spec wins,
field by field; `metadata` alone is merged, key by key. A spec with `agent_id` takes no `model` from it, nor the other
way round, and no field that its matrix holds. Its schema is in `schemas/defaults.schema.json`.

A change there is a change of every spec that takes the field: the plan names each job that is bought again, and the
file and the line where the new value was written."""

EFFECTS: Final = """\
## What a change does

| what changed | what happens |
|---|---|
| `endpoint`, `model`, `agent_id`, the contents of the inputs | it is other work: it is bought, and `on_change` says \
what becomes of the running job |
| `rerun` | the same work is bought again, once the job that is running has ended; `reconciler rerun NAME` changes it |
| `metadata`, `timeout_hours`, `on_remove` | nothing is bought; the next job carries it |
| `suspend`, `retry`, `on_change`, `max_failed` | it holds from the next plan on |
| `name`, the place of the spec, the names and the order of input files | nothing: the work is the same |"""

INPUTS: Final = """\
## Inputs

An entry of `input_files` is one of three:

- **a path**, relative to the spec's own folder, with forward slashes: `data/questions.jsonl`, `../common/a.jsonl`;
- **a glob**: `*`, `?` and `[a-z]` stand for part of one name, `**` for any number of folders. Names that begin with
  a dot are matched only by a dot. A glob that matches nothing is a problem; the order of the matches means nothing;
- **the id of an uploaded file** (a UUID). Its content is not looked at, and its requests are not counted.

A path must lead to a regular file inside the project (the folder of `reconciler.yaml`), also after following links.
No file may be named twice in one job. Files are identified by their bytes, so keep git from changing them: put
`*.jsonl -text` into `.gitattributes`.

Each line of a file is one request:

```json
{"custom_id": "ticket-17", "body": {"messages": [{"role": "user", "content": "Bonjour"}]}}
```

Every line is checked before anything is sent: a JSON object, `body` an object, `custom_id` text that is not empty
and that no other line of the job uses, UTF-8 without a byte order mark, lines that end in LF, no empty line, no NaN
or Infinity, no half surrogate pair, and the sizes under [`limits`](#fields-of-limits). Of one file the first 20
problems are shown and the others counted. What a line says is never shown.

Requests in the spec itself (`requests`) obey the same rules. Their numbers must be ones that every JSON reader keeps
exactly: whole numbers up to 9007199254740991; put ids in quotes."""

ADOPT: Final = """\
## Jobs that are there already

A job that was made by hand or by another program carries none of our tags, so nothing says what it has bought. A spec
can vouch for it:

```yaml
adopt: {job: 4fb29d1c-…, work: "v1:…"}
```

Leave `work` out, and `reconciler validate` tells the digest of what the spec declares. `reconciler init
--from-workspace` writes such specs for the jobs that run there.

- **It counts** as the first job of that work, without a `rerun`: while it runs and once it has succeeded, the work is
  not bought. Where it failed, `retry` and `rerun` do what they always do. A job of ours that does the same work, or has
  done it, comes first.
- **What the API shows of it has to agree**: endpoint, model, number of requests and, where the spec names uploaded
  files, their ids. Where it does not agree, where the job is not there, or where it carries the tags of another
  project, nothing is bought: Hold `not_adopted` says what is wrong.
- **When the spec changes**, `work` no longer is what the spec declares, and the new work is bought as any other change
  is; while the adopted job still runs, that waits for its end. Then `adopt` has done its part and can go.
- **It is never cancelled from here**, neither by `suspend` nor by a change nor when its spec is removed: nothing in the
  workspace says that it is ours, and a spec alone must not stop what others started. `reconciler jobs cancel --foreign`
  does.
- **Its results** are pulled like any other's. `history` does not know it: it tells of jobs that carry our tags, or
  stand in the ledger.
- One job, one spec; not in a family, not in `_defaults.yaml`."""

TOGETHER: Final = """\
## All specs together

What one spec's schema cannot say, and is checked all the same:

- `name` is unique in the project, ignoring case, and so is every name that a family makes;
- no two specs declare the same work with the same `rerun`: both would buy it. The error names both; change `rerun`
  in one, or remove one;
- `metadata` and `rerun` are stored as the text that was written, so `1.10` and `1.1` differ; an unquoted number is
  at most 64 characters long;
- an `endpoint` that the API does not document is a warning, since the API grows;
- so is a file in the spec folder that no spec names, Markdown (`.md`) and hidden files excepted, and a YAML file that
  declares nothing. A `reconciler.yaml` in the spec folder is not read as a spec;
- links are followed. One that leads out of the project, nowhere, or to a folder that it lies in itself is a problem,
  and so are a folder that cannot be read and a name with invisible characters: nothing is passed over in silence.

The whole spec folder is read at all times. A path given to a command selects what is declared there; it never makes
another spec absent."""

YAML: Final = """\
## YAML as it is read here

YAML 1.2 with its core schema, in UTF-8:

- only `true` and `false` (also `True`, `TRUE`, …) are booleans; `yes`, `no`, `on` and `off` are text;
- `012` is twelve, `0o14` and `0xC` are twelve as well, `1e3` is a number;
- dates, times such as `12:30:45`, and versions such as `1.2.3` are text;
- empty, `~` and `null` are null.

Refused, because readers disagree about them or because they have no place in a declaration: a key that stands twice
in one mapping, keys that are not text, tags (`!…`), merge keys (`<<`), `.inf` and `.nan`, directives (`%…`) other
than `%YAML 1.2`, invisible characters, and files larger, deeper or with more values (aliases expanded) than
[`limits`](#fields-of-limits) say. Anchors and aliases within one document are taken."""

SETTINGS: Final = """\
## reconciler.yaml

Lies in the root of the project, is found from any folder beneath it, and may be chosen with `--config` (another
environment, for example, with another `project` and another key). A flag beats the environment, the environment beats
the file. Its schema is in `schemas/reconciler.schema.json`."""
