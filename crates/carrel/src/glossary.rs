//! The glossary file of a site: CSV or TOML.

use crate::config::Configuration;
use crate::site::Failure;
use answer::Glossary;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Largest file read, in bytes.
const LARGEST: u64 = 1_000_000;

/// `[[same]]` tables with a list `names` each.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    same: Vec<Same>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Same {
    names: Vec<String>,
}

impl Configuration {
    /// Where a bundle puts the glossary of a site whose configuration names none.
    pub(crate) fn usual_glossary(&self) -> PathBuf {
        self.data.join("lists/glossary.csv")
    }

    /// The glossary of this site, if it has one.
    pub(crate) fn glossary(&self) -> Result<Option<Glossary>, Failure> {
        let usual = Some(self.usual_glossary()).filter(|file| file.is_file());
        self.search.glossary.as_ref().or(usual.as_ref()).map(|file| read(file)).transpose()
    }
}

/// Reads a glossary: a `.toml` file, or CSV with one group of equal expressions a line.
pub(crate) fn read(file: &Path) -> Result<Glossary, Failure> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    if std::fs::metadata(file).map_err(|error| named(&error))?.len() > LARGEST {
        return Err(named(&"a glossary has at most a megabyte; leave out what nobody asks for").into());
    }
    let text = std::fs::read_to_string(file).map_err(|error| named(&error))?;
    let groups: Vec<Vec<String>> = if file.extension().is_some_and(|extension| extension == "toml") {
        let file: File = toml::from_str(&text).map_err(|error| named(&error))?;
        file.same.into_iter().map(|same| same.names).collect()
    } else {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let rows: Result<Vec<csv::StringRecord>, _> = reader.records().collect();
        let rows = rows.map_err(|error| named(&error))?;
        rows.iter().map(|row| row.iter().map(str::to_owned).collect()).collect()
    };
    Ok(Glossary::new(&groups).map_err(|error| named(&error))?)
}

#[cfg(test)]
mod tests {
    use super::read;
    use answer::Glossary;

    #[test]
    fn csv_and_toml_say_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            file
        };
        let expected = ["VPN", "virtual private network", "tunnel, encrypted"].map(str::to_owned).to_vec();
        let expected = Glossary::new(&[expected]).unwrap();
        let csv = write("g.csv", "VPN,virtual private network,\"tunnel, encrypted\"\n");
        assert_eq!(read(&csv).unwrap(), expected);
        let toml = write("g.toml", "[[same]]\nnames = [\"VPN\", \"virtual private network\", \"tunnel, encrypted\"]\n");
        assert_eq!(read(&toml).unwrap(), expected);
        let error = read(&write("bad.csv", "VPN,x\nalone\n")).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        assert!(read(&folder.path().join("none.csv")).is_err());
    }
}
