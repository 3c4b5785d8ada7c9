//! Fetching data sets, whole or not at all.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use burn_privacy_output::{AtomicFile, OutputError};
use indicatif::{ProgressBar, ProgressStyle};

use super::checksum::{Md5Sum, file_md5};
use super::{CIFAR10_ARCHIVE, DatasetError, MnistVariant};

/// How long to wait for a connection, for the server's answer, and for each further piece of the file.
const PATIENCE: Duration = Duration::from_secs(60);

/// No data set here is larger; a server that sends more is stopped. In bytes.
const LIMIT: u64 = 1 << 30;

/// A file on a server, with the checksum its authors publish. Needs the feature `download`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    url: String,
    file_name: String,
    md5: String,
}

impl Download {
    /// CIFAR-10 in its binary version, 170 MB, from the address of its author
    /// (<https://www.cs.toronto.edu/~kriz/cifar.html>, where the checksum stands too).
    pub fn cifar10() -> Self {
        Self::new(
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            CIFAR10_ARCHIVE,
            "c32a1d4ab5d03f1284b67883e8d87530",
        )
    }

    /// The four files of MNIST (12 MB) from PyTorch's mirror, since their author's site no longer gives them out, or of
    /// Fashion-MNIST (31 MB) from its authors' repository.
    pub fn mnist(variant: MnistVariant) -> [Self; 4] {
        let place = match variant {
            MnistVariant::Digits => "https://ossci-datasets.s3.amazonaws.com/mnist",
            MnistVariant::Fashion => {
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"
            }
        };
        variant.members().map(|member| {
            let file_name = format!("{}.gz", member.name);
            Self::new(format!("{place}/{file_name}"), file_name, member.packed_md5)
        })
    }

    /// Any file: its address, the name it gets on this machine, and its MD5 in 32 hexadecimal digits.
    ///
    /// An `https` address is never followed to an `http` one, and goes through the proxy that `HTTPS_PROXY` or
    /// `ALL_PROXY` names, if any. An `http` address is meant for a server close by and uses no proxy.
    pub fn new(url: impl Into<String>, file_name: impl Into<String>, md5: impl Into<String>) -> Self {
        Self { url: url.into(), file_name: file_name.into(), md5: md5.into().to_ascii_lowercase() }
    }

    /// The address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Fetches the file into `folder`, which is made if it isn't there, and says where the file lies. While it
    /// runs, a progress bar is drawn on standard error if that is a terminal.
    ///
    /// A file that is there already with the right checksum is not fetched again; one with another checksum is
    /// replaced. The file gets its name only when it has all arrived, is on the disk and has the right checksum:
    /// whatever goes wrong before leaves the folder as it was.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Download`] if there is no network, no such server, an answer other than the file, or a
    /// transfer that breaks off; [`DatasetError::DownloadChecksum`] if what arrives is not the published file;
    /// [`DatasetError::Write`] if the folder takes no file.
    pub fn fetch_into(&self, folder: impl AsRef<Path>) -> Result<PathBuf, DatasetError> {
        let folder = folder.as_ref();
        let path = folder.join(&self.file_name);
        let unwritable = |source| DatasetError::Write { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(unwritable)?;
        if path.is_file() && file_md5(&path)?.1 == self.md5 {
            return Ok(path);
        }

        let not_written = |error| match error {
            OutputError::File { path, source } => DatasetError::Write { path, source },
            other => DatasetError::Write { path: path.clone(), source: io::Error::other(other) },
        };
        let mut part = AtomicFile::create(&path).map_err(not_written)?;
        let (bytes, found) = self.transfer(folder, &mut part)?;
        if found != self.md5 {
            return Err(DatasetError::DownloadChecksum {
                url: self.url.clone(),
                file_name: self.file_name.clone(),
                bytes,
                found,
                expected: self.md5.clone(),
            });
        }
        part.commit().map_err(not_written)?;
        Ok(path)
    }

    /// Copies the body into `part`, and gives its length and MD5.
    fn transfer(&self, folder: &Path, part: &mut AtomicFile) -> Result<(u64, String), DatasetError> {
        let failed = |bytes, reason| DatasetError::Download {
            url: self.url.clone(),
            folder: folder.to_owned(),
            file_name: self.file_name.clone(),
            bytes,
            reason,
        };
        let response = self.agent().get(&self.url).call().map_err(|error| failed(0, in_words(&error)))?;
        let announced = response.body().content_length();
        let mut body = response.into_body().into_with_config().limit(LIMIT).reader();

        let bar = progress_bar(&self.file_name, announced);
        let (mut bytes, mut sum) = (0, Md5Sum::new());
        let mut buffer = vec![0; 1 << 16];
        loop {
            let piece = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => &buffer[..length],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(bytes, format!("the transfer broke off: {error}"))),
            };
            part.write_all(piece).map_err(|source| DatasetError::Write { path: part.path().to_owned(), source })?;
            sum.update(piece);
            bytes += piece.len() as u64;
            bar.set_position(bytes);
        }
        bar.finish_and_clear();
        if let Some(announced) = announced.filter(|&announced| announced != bytes) {
            return Err(failed(bytes, format!("the transfer broke off: {announced} bytes were announced")));
        }
        Ok((bytes, sum.hex()))
    }

    fn agent(&self) -> ureq::Agent {
        let secure = self.url.starts_with("https://");
        let config = ureq::Agent::config_builder()
            .https_only(secure)
            .timeout_resolve(Some(PATIENCE))
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE));
        let config = if secure { config } else { config.proxy(None) };
        config.build().new_agent()
    }
}

fn in_words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::StatusCode(code) => format!("the server answered with status {code} instead of the file"),
        ureq::Error::HostNotFound => "no address is known for this server (is there a network?)".to_owned(),
        ureq::Error::ConnectionFailed => "no connection (is there a network?)".to_owned(),
        other => other.to_string(),
    }
}

fn progress_bar(file_name: &str, length: Option<u64>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "Fetching {msg} [{wide_bar}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        ),
        None => (ProgressBar::no_length(), "Fetching {msg} {spinner} {bytes}, {bytes_per_sec}"),
    };
    let bar = bar.with_message(file_name.to_owned());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_templates_are_valid() {
        for template in [Some(3), None].map(|length| progress_bar("file", length)) {
            template.finish_and_clear();
        }
        assert!(ProgressStyle::with_template("Fetching {msg} {spinner} {bytes}, {bytes_per_sec}").is_ok());
    }

    #[test]
    fn the_known_addresses_are_https() {
        let mut all = vec![Download::cifar10()];
        all.extend(Download::mnist(MnistVariant::Digits));
        all.extend(Download::mnist(MnistVariant::Fashion));
        for download in all {
            assert!(download.url().starts_with("https://") && download.md5.len() == 32, "{download:?}");
        }
    }
}
