//! The files that a report is written to.

use std::path::{Path, PathBuf};

use super::{ReportError, RunReport, curve_csv, write_atomically};

impl RunReport {
    /// Writes the report's files (see the [module](crate)) into `folder`, which is made if it isn't
    /// there, each atomically. Returns their paths.
    ///
    /// # Errors
    ///
    /// [`ReportError::Output`]; the files that were written before it stay.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<Vec<PathBuf>, ReportError> {
        let folder = folder.as_ref();
        let accuracy = format!("{}_accuracy", self.data.monitored.name());
        #[allow(unused_mut)]
        let mut files: Vec<(&str, Vec<u8>)> = vec![
            ("report.json", (self.to_json()? + "\n").into_bytes()),
            ("statement.md", self.to_markdown().into_bytes()),
            ("curve.csv", curve_csv(&self.curve, &accuracy).into_bytes()),
        ];
        #[cfg(feature = "plot")]
        {
            files.push(("curve.png", super::plot_png(self)?));
            files.push(("curve.svg", super::plot_svg(self)?.into_bytes()));
        }
        let mut paths = Vec::new();
        for (name, contents) in files {
            let path = folder.join(name);
            write_atomically(&path, contents)?;
            paths.push(path);
        }
        Ok(paths)
    }
}
