//! Which file a path leads to: what tells a ledger from a copy of it.

use std::fs::{Metadata, OpenOptions};

/// Device and inode. While a file is open no other one can get its inode, so two are equal only if they are one file.
///
/// Elsewhere than on Unix there is nothing to compare: there the open file can't be renamed or deleted at all, see
/// [`keep_in_place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
}

impl FileIdentity {
    #[cfg(unix)]
    pub fn of(file: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: file.dev(), inode: file.ino() }
    }

    #[cfg(not(unix))]
    pub fn of(_file: &Metadata) -> Self {
        Self {}
    }
}

/// On Windows: others may read and write the file while it is open, but not rename, replace or delete it.
#[cfg_attr(not(windows), allow(unused_variables))]
pub(super) fn keep_in_place(options: &mut OpenOptions) {
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        const FILE_SHARE_READ: u32 = 1;
        const FILE_SHARE_WRITE: u32 = 2;
        options.share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE);
    }
}
