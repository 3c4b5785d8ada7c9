//! Which file a path leads to: what tells a file from a copy of it.

use std::fs::{Metadata, OpenOptions};

/// Device and inode. While a file is open no other one can get its inode, so two are equal only if they are one file.
///
/// Elsewhere than on Unix the time of creation stands for them. On Windows an open file can't be renamed or deleted besides,
/// see [`keep_in_place`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    #[cfg(unix)]
    device_and_inode: (u64, u64),
    #[cfg(not(unix))]
    created: Option<std::time::SystemTime>,
}

impl FileIdentity {
    pub fn of(file: &Metadata) -> Self {
        Self {
            #[cfg(unix)]
            device_and_inode: {
                use std::os::unix::fs::MetadataExt;
                (file.dev(), file.ino())
            },
            #[cfg(not(unix))]
            created: file.created().ok(),
        }
    }
}

/// On Windows: others may read and write the file while it is open, but not rename, replace or delete it.
#[cfg_attr(not(windows), allow(unused_variables))]
pub(crate) fn keep_in_place(options: &mut OpenOptions) {
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        const FILE_SHARE_READ: u32 = 1;
        const FILE_SHARE_WRITE: u32 = 2;
        options.share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE);
    }
}
