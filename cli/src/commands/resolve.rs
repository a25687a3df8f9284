//! `guestlist resolve`: looks up the groups that the policy names, and writes their ids beside the names. Names are not
//! unique, and any member may create a group: what admits or protects should refer to objects by id.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use graph::{Group, Reader};
use host::Environment;
use model::ObjectId;
use policy::{Named, Resolved, Settled};
use serde::Serialize;

use super::{named_groups, policy_path, reader_of};
use crate::args::{Output, Resolve};
use crate::exit::Exit;
use crate::out;

#[derive(Serialize)]
struct Report {
    file: String,
    /// Whether the file was changed.
    written: bool,
    changes: Vec<Change>,
    /// Names that still stand alone, each with its place and what to do.
    unresolved: Vec<String>,
    /// The groups that a name may mean.
    candidates: BTreeMap<String, Vec<Candidate>>,
}

#[derive(Serialize)]
struct Change {
    line: u64,
    column: u64,
    name: String,
    id: ObjectId,
}

#[derive(Serialize)]
struct Candidate {
    id: ObjectId,
    /// In words: what kind of group it is.
    is: String,
}

pub(super) async fn run(
    environment: &Environment,
    resolve: &Resolve,
    output: Output,
) -> anyhow::Result<Exit> {
    let (_, reader) = reader_of(environment, resolve.policy.is_none())?;
    let path = policy_path(environment, resolve.policy.as_deref())?;
    // What is not valid is not touched.
    let policy = host::load_policy(&path)?;
    let file = path.display().to_string();
    let text = std::fs::read_to_string(&path).with_context(|| format!("failed to read `{file}`"))?;
    let names = named_groups(&reader, &policy).await;
    let unread = || Named::Unread { why: "it was not asked for".to_owned() };
    let lookup = |name: &str| names.get(name).cloned().unwrap_or_else(unread);
    let resolved = policy::resolve(&text, &file, &lookup)?;
    let candidates = candidates(&reader, &names).await;
    let written = resolve.write && !resolved.changes.is_empty();
    if written {
        let new = resolved.text.clone();
        let whole = path.clone();
        tokio::task::spawn_blocking(move || replace(&whole, &text, &new)).await??;
    }
    let Resolved { text: _, changes, unresolved } = resolved;
    let change = |Settled { line, column, name, id }| Change { line, column, name, id };
    let report = Report {
        file,
        written,
        changes: changes.into_iter().map(change).collect(),
        unresolved: unresolved.iter().map(ToString::to_string).collect(),
        candidates,
    };
    out::show(output, &report, print)?;
    say(&report);
    Ok(if report.unresolved.is_empty() { Exit::Well } else { Exit::NotWell })
}

/// All groups that bear an ambiguous name, with what tells them apart.
async fn candidates(reader: &Reader, names: &BTreeMap<String, Named>) -> BTreeMap<String, Vec<Candidate>> {
    let mut found = BTreeMap::new();
    for (name, named) in names {
        let ids = match named {
            Named::Several(ids) => ids,
            Named::Nobody | Named::One(_) | Named::Unread { why: _ } => continue,
        };
        let read = reader.groups(ids).await.into_iter();
        let read = read.map(|(id, group)| Candidate {
            id,
            is: group.map_or_else(|_| "could not be read".to_owned(), kind),
        });
        found.insert(name.clone(), read.collect());
    }
    found
}

/// What tells groups of one name apart.
fn kind(group: Group) -> String {
    let group = responder::group_of(group);
    let basic = match (group.team, group.unified, group.mail_enabled) {
        (Some(true), _, _) => "team",
        (_, Some(true), _) => "Microsoft 365 group",
        (_, _, Some(true)) => "mail-enabled group",
        (_, Some(false), _) => "security group",
        (_, None, _) => "group that could not be read",
    };
    let mut words = vec![basic.to_owned()];
    words.extend(group.visibility.filter(|visibility| visibility != "none"));
    let labels = group.labels.into_iter().flatten().filter_map(|label| label.name);
    words.extend(labels.map(|label| format!("labelled `{label}`")));
    for (holds, word) in [
        (group.dynamic, "dynamic"),
        (group.role_assignable, "role-assignable"),
        (group.on_premises_synced, "synchronised"),
    ] {
        words.extend((holds == Some(true)).then(|| word.to_owned()));
    }
    words.join(", ")
}

fn print(report: &Report) -> anyhow::Result<()> {
    let file = &report.file;
    for Change { line, column, name, id } in &report.changes {
        out::line(&format!("{file}:{line}:{column}: `{name}` is the group {id}"))?;
    }
    for unresolved in &report.unresolved {
        out::line(unresolved)?;
    }
    for (name, candidates) in &report.candidates {
        out::line(&format!("groups that are called `{name}`:"))?;
        for Candidate { id, is } in candidates {
            out::line(&format!("  {id}  {is}"))?;
        }
    }
    Ok(())
}

fn say(report: &Report) {
    let Report { file, written, changes, unresolved, candidates: _ } = report;
    let ids = |count: usize| if count == 1 { "1 id".to_owned() } else { format!("{count} ids") };
    let said = match (changes.len(), written) {
        (0, _) if unresolved.is_empty() => format!("`{file}` names every group by its id"),
        (0, _) => format!("`{file}` stays as it is"),
        (count, true) => format!("wrote {} into `{file}`", ids(count)),
        (count, false) => format!("would write {} into `{file}`: `--write` does", ids(count)),
    };
    out::message(&said);
}

/// Puts the new text in the place of the old one, whole or not at all, with the same owner and permissions.
fn replace(path: &Path, before: &str, after: &str) -> anyhow::Result<()> {
    let shown = path.display().to_string();
    // The link stays, and the file behind it changes.
    let target = path.canonicalize().with_context(|| format!("failed to find `{shown}`"))?;
    let folder: PathBuf = target.parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
    let mut file = tempfile::Builder::new()
        .prefix(".guestlist-resolve-")
        .suffix(".yaml")
        .tempfile_in(&folder)
        .with_context(|| format!("failed to make a file in `{}`: write where you may", folder.display()))?;
    file.write_all(after.as_bytes()).with_context(|| format!("failed to write beside `{shown}`"))?;
    keep_access(&target, file.as_file()).with_context(|| {
        format!("failed to keep the owner and the permissions of `{shown}`: run this as the file's owner")
    })?;
    host::load_policy(file.path())?;
    file.as_file().sync_all().with_context(|| format!("failed to write beside `{shown}`"))?;
    let now = std::fs::read_to_string(&target).with_context(|| format!("failed to read `{shown}`"))?;
    anyhow::ensure!(now == before, "`{shown}` was changed by somebody else in the meantime: run this again");
    file.persist(&target).with_context(|| format!("failed to replace `{shown}`"))?;
    Ok(())
}

/// Whoever runs `serve` must be able to read the file afterwards, too, and nobody else more than before.
fn keep_access(of: &Path, file: &std::fs::File) -> std::io::Result<()> {
    let metadata = std::fs::metadata(of)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let new = file.metadata()?;
        if (new.uid(), new.gid()) != (metadata.uid(), metadata.gid()) {
            std::os::unix::fs::fchown(file, Some(metadata.uid()), Some(metadata.gid()))?;
        }
    }
    file.set_permissions(metadata.permissions())
}
