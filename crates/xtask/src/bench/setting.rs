//! Where everything is that commands name, and how they are run.

use super::corpora;
use super::peers::Peers;
use crate::failure::{Context, Failure, Result};
use crate::workspace::Workspace;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The sample documents that prompts are made of: plain text, and long enough for the longest prompt.
const TEXTS: [&str; 3] = ["handbook/onboarding-checklist.md", "it/records-retention.md", "board/shore-power-paper.md"];

/// The word that a command line of the server itself begins with.
pub const CARREL: &str = "carrel";

/// What the placeholders in commands stand for.
#[derive(Debug)]
pub struct Setting {
    /// The server's release binary.
    pub carrel: PathBuf,
    /// A folder of our own for data directories.
    pub scratch: PathBuf,
    /// The sample documents.
    pub samples: PathBuf,
    /// The default generator.
    pub generate: PathBuf,
    /// The default embedder.
    pub embed: PathBuf,
    /// A retrieval set in BEIR's format.
    pub dataset: PathBuf,
    /// Threads that a peer is told to use: as many as Carrel takes by itself.
    pub threads: usize,
    /// How to call each peer that is ready, by the first word of its commands.
    pub peers: BTreeMap<String, Vec<OsString>>,
    /// Folders of documents that are ready, by their placeholders.
    pub corpora: BTreeMap<String, PathBuf>,
}

impl Setting {
    /// Whether there is a retrieval set to measure with.
    pub fn has_dataset(&self) -> bool {
        self.dataset.join("corpus.jsonl").is_file()
    }

    /// The retrieval set's name.
    pub fn dataset_name(&self) -> String {
        file_name(&self.dataset)
    }

    /// Makes the programs ready that these command lines begin with.
    pub fn provide(&mut self, commands: &[&str]) -> Result<()> {
        for command in commands {
            let word = first_word(command);
            if word != CARREL && !self.peers.contains_key(word) {
                let call = Peers::open()?.provide(word)?;
                self.peers.insert(word.to_owned(), call);
            }
        }
        Ok(())
    }

    /// Makes the documents ready that this command line reads.
    pub fn provide_corpora(&mut self, workspace: &Workspace, command: &str) -> Result<()> {
        for word in command.split_whitespace().filter(|word| word.starts_with('{')) {
            if let Some(folder) = corpora::provide(word, workspace, &self.samples)? {
                self.corpora.insert(word.to_owned(), folder);
            }
        }
        Ok(())
    }

    /// The command line with every placeholder filled in.
    pub fn words(&self, command: &str, data: &Path) -> Result<Vec<OsString>> {
        let mut words = command.split_whitespace();
        let program = words.next().unwrap_or_default();
        let mut filled = match program {
            CARREL => vec![self.carrel.clone().into_os_string()],
            peer => {
                let missing = || Failure::new(format!("{peer} is not ready on this machine"));
                self.peers.get(peer).cloned().ok_or_else(missing)?
            }
        };
        for word in words {
            match word {
                "{data}" => filled.push(data.into()),
                "{generate}" => filled.push(self.generate.clone().into()),
                "{embed}" => filled.push(self.embed.clone().into()),
                "{dataset}" => filled.push(self.dataset.clone().into()),
                "{threads}" => filled.push(self.threads.to_string().into()),
                "{text}" => {
                    for text in TEXTS {
                        filled.extend(["--text".into(), self.samples.join(text).into()]);
                    }
                }
                word if self.corpora.contains_key(word) => filled.push(self.corpora[word].clone().into()),
                word => filled.push(match word.strip_prefix("{samples}") {
                    Some(below) => self.samples.join(below.trim_start_matches('/')).into(),
                    None => word.into(),
                }),
            }
        }
        Ok(filled)
    }

    /// The command line as a reader would type it: without this machine's folders.
    pub fn shown(&self, command: &str) -> String {
        let texts: Vec<String> = TEXTS.iter().map(|text| format!("--text tests/samples/{text}")).collect();
        let shown = command.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown = shown.replace("{text}", &texts.join(" ")).replace("{threads}", &self.threads.to_string());
        let shown = shown.replace("{samples}", "tests/samples").replace("{data}", "DIR");
        let shown = shown.replace("{generate}", &file_name(&self.generate)).replace("{embed}", &file_name(&self.embed));
        let shown = shown.replace("{dataset}", &self.dataset_name());
        self.corpora.keys().fold(shown, |shown, word| shown.replace(word, word.trim_matches(['{', '}'])))
    }

    /// Runs the command line; what it printed.
    pub fn run(&self, command: &str, data: &Path) -> Result<Vec<u8>> {
        let words = self.words(command, data)?;
        let (program, arguments) = words.split_first().ok_or_else(|| Failure::new("an empty command"))?;
        let mut process = Command::new(program);
        process.args(arguments).stdin(Stdio::null());
        // Carrel's progress is for the person who waits; what a peer says on the way is shown when it fails.
        let ours = first_word(command) == CARREL;
        process.stderr(if ours { Stdio::inherit() } else { Stdio::piped() });
        let output = process.output().context(|| format!("cannot run {}", self.shown(command)))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("see above");
        Err(Failure::new(format!("{} failed ({}): {last}", self.shown(command), output.status)))
    }

    /// Runs the command line; the JSON it printed: all of its output, or the last line that is JSON.
    pub fn figures(&self, command: &str, data: &Path) -> Result<Value> {
        let output = self.run(command, data)?;
        parse(&output).ok_or_else(|| Failure::new(format!("the output of `{}` is not JSON", self.shown(command))))
    }
}

fn parse(output: &[u8]) -> Option<Value> {
    let line = |line: &[u8]| serde_json::from_slice(line).ok().filter(|value: &Value| value.is_object());
    serde_json::from_slice(output).ok().or_else(|| output.split(|&byte| byte == b'\n').rev().find_map(line))
}

fn first_word(command: &str) -> &str {
    command.split_whitespace().next().unwrap_or_default()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
pub fn example() -> Setting {
    let peer = |name: &str| (name.to_owned(), vec![OsString::from(format!("/p/{name}"))]);
    Setting {
        carrel: "/t/release/carrel".into(),
        scratch: "/t/bench".into(),
        samples: "/r/tests/samples".into(),
        generate: "/m/big model.gguf".into(),
        embed: "/m/mini".into(),
        dataset: "/e/scifact".into(),
        threads: 2,
        corpora: ["{manual}", "{short-pdfs}", "{long-pdfs}"].map(|word| (word.to_owned(), "/c".into())).into(),
        peers: ["llama-bench", "llama-batched-bench", "minilm.py"].map(peer).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::catalogue::BENCHMARKS;

    #[test]
    fn no_placeholder_is_left_in_any_command() {
        let setting = example();
        for benchmark in BENCHMARKS {
            let ours = benchmark.cases.iter().map(|case| case.command).chain(benchmark.prepare.iter().copied());
            let ours = ours.map(|command| format!("carrel {command}"));
            let rivals = benchmark.cases.iter().flat_map(|case| case.rivals).flat_map(|rival| rival.commands);
            for command in ours.chain(rivals.map(|&command| command.to_owned())) {
                let words = setting.words(&command, Path::new("/t/bench/data")).unwrap();
                let left: String = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
                let left = left + &setting.shown(&command);
                assert!(!left.contains(['{', '}']), "{left}");
            }
        }
    }

    #[test]
    fn a_path_with_a_blank_stays_one_word_and_texts_become_several() {
        let words = example().words("llama-bench -m {generate} {text}", Path::new("/d")).unwrap();
        assert_eq!(words[..3], ["/p/llama-bench", "-m", "/m/big model.gguf"]);
        assert_eq!(words.len(), 3 + 2 * TEXTS.len());
        let absent = example().words("vllm serve", Path::new("/d")).unwrap_err().to_string();
        assert!(absent.contains("vllm"), "{absent}");
    }

    #[test]
    fn json_is_found_behind_other_lines() {
        assert_eq!(parse(b"[{\"avg_ts\": 1}]").unwrap().pointer("/0/avg_ts").unwrap(), 1);
        assert_eq!(parse(b"loading\n\n{\"speed\": 2}\ndone\n").unwrap()["speed"], 2);
        assert!(parse(b"1.5 tokens\n").is_none());
    }
}
