//! Everything that a power cut may leave of a recorded sequence of operations.
//!
//! # What a file system may do
//!
//! After every operation the power may go. What was synchronized before is there. Of what was not, any part may be:
//!
//! - each write not at all, wholly, as zeros of its length (the length was written, the bytes were not), up to any sector's end, up
//!   to some bytes, or with any one of its sectors still zero;
//! - each cut of a file, or not; a write after one that is missing leaves zeros in between;
//! - each new name, renaming and removal, or not, in any combination: also a later one without an earlier one. A renaming is one
//!   step: the old name is there or the new one.
//!
//! Not assumed: that names wait for contents (some file systems write them in this order, the standard does not say so). Assumed: that
//! what the disk says it has written it has, and that a sector is written whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::operation::Operation;

const SECTOR: usize = 512;

/// More combinations after one operation are a mistake in the recording: synchronize in between.
const MOST_COMBINATIONS: usize = 1 << 16;

/// What is left after a power cut.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PowerCut {
    /// The marks that were reached before.
    pub marks: Vec<String>,
    /// What has which name.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl PowerCut {
    /// Puts the files into a folder, in place of what is there.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn write_to(&self, folder: &Path) -> std::io::Result<()> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        std::fs::create_dir_all(folder)?;
        for (name, contents) in &self.files {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(path, contents)?;
        }
        Ok(())
    }
}

/// What a file holds, and what it may hold.
#[derive(Debug, Default)]
struct Contents {
    durable: Vec<u8>,
    /// With everything that was written.
    length: usize,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLength(usize),
}

/// What becomes of some names, all or nothing.
type Naming = Vec<(PathBuf, Option<PathBuf>)>;

/// All different states that power cuts after the operations may leave, the cut before the first and after the last included.
///
/// # Panics
///
/// For more than 65,536 combinations after one operation.
pub fn power_cuts(operations: &[Operation]) -> Vec<PowerCut> {
    let mut found = BTreeSet::new();
    let mut files: BTreeMap<PathBuf, Contents> = BTreeMap::new();
    // The file that each name leads to, by the name under which that was made.
    let mut names: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    let mut durable_names = names.clone();
    let mut namings: Vec<Naming> = Vec::new();
    let mut marks = Vec::new();
    let mut leave = |files: &BTreeMap<_, _>, names: &BTreeMap<_, _>, namings: &[Naming], marks: &[String]| {
        for files in combinations(files, names, namings) {
            found.insert(PowerCut { marks: marks.to_vec(), files });
        }
    };
    leave(&files, &durable_names, &namings, &marks);
    for operation in operations {
        let file_of = |names: &BTreeMap<PathBuf, PathBuf>, path: &PathBuf| names.get(path).unwrap_or(path).clone();
        match operation {
            Operation::Create(path) => {
                files.insert(path.clone(), Contents::default());
                names.insert(path.clone(), path.clone());
                namings.push(vec![(path.clone(), Some(path.clone()))]);
            }
            Operation::Append(path, bytes) => {
                let contents = files.entry(file_of(&names, path)).or_default();
                contents.pending.push(Change::Write { offset: contents.length, bytes: bytes.clone() });
                contents.length += bytes.len();
            }
            Operation::SetLength(path, length) => {
                let contents = files.entry(file_of(&names, path)).or_default();
                contents.length = *length as usize;
                contents.pending.push(Change::SetLength(contents.length));
            }
            Operation::Sync(path) => {
                let contents = files.entry(file_of(&names, path)).or_default();
                for change in std::mem::take(&mut contents.pending) {
                    change.apply_to(&mut contents.durable);
                }
            }
            Operation::Rename { from, to } => {
                let file = file_of(&names, from);
                names.remove(from);
                names.insert(to.clone(), file.clone());
                namings.push(vec![(from.clone(), None), (to.clone(), Some(file))]);
            }
            Operation::Remove(path) => {
                names.remove(path);
                namings.push(vec![(path.clone(), None)]);
            }
            Operation::SyncFolder(folder) => {
                let in_folder =
                    |naming: &Naming| naming.iter().any(|(name, _)| name.parent() == Some(folder.as_path()));
                for naming in namings.extract_if(.., |naming| in_folder(naming)) {
                    apply(&naming, &mut durable_names);
                }
            }
            Operation::Mark(label) => marks.push(label.clone()),
        }
        leave(&files, &durable_names, &namings, &marks);
    }
    found.into_iter().collect()
}

fn apply(naming: &Naming, names: &mut BTreeMap<PathBuf, PathBuf>) {
    for (name, file) in naming {
        match file {
            Some(file) => names.insert(name.clone(), file.clone()),
            None => names.remove(name),
        };
    }
}

impl Change {
    fn apply_to(&self, contents: &mut Vec<u8>) {
        match self {
            Self::SetLength(length) => contents.resize(*length, 0),
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                contents.resize(contents.len().max(end), 0);
                contents[*offset..end].copy_from_slice(bytes);
            }
        }
    }

    /// What may have been done of it; `None` for nothing.
    fn outcomes(&self) -> Vec<Option<Self>> {
        let Self::Write { offset, bytes } = self else { return vec![None, Some(self.clone())] };
        let write = |bytes: Vec<u8>| Some(Self::Write { offset: *offset, bytes });
        let mut outcomes = vec![None, write(bytes.clone()), write(vec![0; bytes.len()])];
        let ends: Vec<usize> = (1..bytes.len()).filter(|length| (offset + length) % SECTOR == 0).collect();
        for length in ends.iter().copied().chain([1, bytes.len() / 2, bytes.len().saturating_sub(1)]) {
            outcomes.push(write(bytes[..length.min(bytes.len())].to_vec()));
        }
        if !ends.is_empty() {
            let mut start = 0;
            for end in ends.into_iter().chain([bytes.len()]) {
                let mut without = bytes.clone();
                without[start..end].fill(0);
                outcomes.push(write(without));
                start = end;
            }
        }
        outcomes
    }
}

/// Every way in which what is pending may have been done or not.
fn combinations(
    files: &BTreeMap<PathBuf, Contents>,
    durable_names: &BTreeMap<PathBuf, PathBuf>,
    namings: &[Naming],
) -> BTreeSet<BTreeMap<PathBuf, Vec<u8>>> {
    assert!(namings.len() < 16, "{} names wait for a folder to be synchronized", namings.len());
    let mut found = BTreeSet::new();
    for subset in 0..1_usize << namings.len() {
        let mut names = durable_names.clone();
        for (at, naming) in namings.iter().enumerate() {
            if subset >> at & 1 == 1 {
                apply(naming, &mut names);
            }
        }
        let mut states: Vec<BTreeMap<PathBuf, Vec<u8>>> = vec![BTreeMap::new()];
        for (name, file) in &names {
            let Some(contents) = files.get(file) else { continue };
            let mut variants = BTreeSet::from([contents.durable.clone()]);
            for change in &contents.pending {
                let outcomes = change.outcomes();
                variants = variants
                    .iter()
                    .flat_map(|before| {
                        outcomes.iter().map(move |outcome| {
                            let mut after = before.clone();
                            if let Some(change) = outcome {
                                change.apply_to(&mut after);
                            }
                            after
                        })
                    })
                    .collect();
                assert!(variants.len() <= MOST_COMBINATIONS, "{} states of {}", variants.len(), name.display());
            }
            states = states
                .iter()
                .flat_map(|state| {
                    variants.iter().map(move |contents| {
                        let mut state = state.clone();
                        state.insert(name.clone(), contents.clone());
                        state
                    })
                })
                .collect();
            assert!(states.len() <= MOST_COMBINATIONS, "{} states of the folder", states.len());
        }
        found.extend(states);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(cuts: &[PowerCut], name: &str) -> BTreeSet<Option<String>> {
        let text = |cut: &PowerCut| {
            cut.files.get(Path::new(name)).map(|bytes| String::from_utf8_lossy(bytes).replace('\0', "0"))
        };
        cuts.iter().map(text).collect()
    }

    #[test]
    fn only_what_was_synchronized_is_sure() {
        let file = || PathBuf::from("a");
        let mut operations = vec![Operation::Create(file()), Operation::Append(file(), b"xy".to_vec())];
        let found = contents(&power_cuts(&operations), "a");
        let expected = [None, Some("".into()), Some("xy".into()), Some("00".into()), Some("x".into())];
        assert_eq!(found, BTreeSet::from(expected));
        operations.extend([Operation::Sync(file()), Operation::Mark("told".into())]);
        let told = |cuts: Vec<PowerCut>| cuts.into_iter().filter(|cut| !cut.marks.is_empty()).collect::<Vec<_>>();
        // The name is not sure yet.
        let found = contents(&told(power_cuts(&operations)), "a");
        assert_eq!(found, BTreeSet::from([None, Some("xy".into())]));
        operations.insert(3, Operation::SyncFolder(PathBuf::new()));
        let found = contents(&told(power_cuts(&operations)), "a");
        assert_eq!(found, BTreeSet::from([Some("xy".into())]));
    }

    #[test]
    fn a_renaming_may_come_before_the_contents_and_is_one_step() {
        let [new, name] = ["new", "name"].map(PathBuf::from);
        let mut operations = vec![
            Operation::Create(new.clone()),
            Operation::Append(new.clone(), b"ab".to_vec()),
            Operation::Rename { from: new.clone(), to: name.clone() },
        ];
        let cuts = power_cuts(&operations);
        assert!(contents(&cuts, "name").contains(&Some("00".into())));
        operations.insert(2, Operation::Sync(new));
        let found = contents(&power_cuts(&operations), "name");
        assert_eq!(found, BTreeSet::from([None, Some("ab".into())]));
    }

    #[test]
    fn a_sector_may_be_missing_in_the_middle() {
        let file = PathBuf::from("a");
        let operations = [
            Operation::Create(file.clone()),
            Operation::Append(file.clone(), vec![b'x'; 500]),
            Operation::Sync(file.clone()),
            Operation::Append(file, vec![b'y'; 600]),
        ];
        let hole = [vec![b'x'; 500], vec![b'y'; 12], vec![0; 512], vec![b'y'; 76]].concat();
        assert!(power_cuts(&operations).iter().any(|cut| cut.files.values().any(|contents| *contents == hole)));
    }
}
