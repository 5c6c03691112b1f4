//! What a benchmark consists of.
//!
//! In a command, `{data}` is an empty data directory of the benchmark's own; `{embed}`, `{generate}`, `{samples}` and
//! `{dataset}` are the default models, the sample documents and the retrieval set, `{threads}` is the number of cores,
//! and `{text}` stands for the sample documents that prompts are made of.

/// A group of commands that share their preparation.
#[derive(Debug)]
pub struct Benchmark {
    /// What it is called on the command line.
    pub name: &'static str,
    /// One sentence for a reader.
    pub about: &'static str,
    /// Commands that make the data directory ready; their time does not count.
    pub prepare: &'static [&'static str],
    /// Whether each run gets a data directory of its own, or all share one.
    pub fresh: bool,
    /// What is measured.
    pub cases: &'static [Case],
}

/// One command, and the others that it is measured against.
#[derive(Debug)]
pub struct Case {
    /// What its figures' names begin with; empty when there is only one.
    pub label: &'static str,
    /// The words after `carrel`.
    pub command: &'static str,
    /// Who does the same work: run in turn with Carrel, on the same machine in the same minutes.
    pub rivals: &'static [Rival],
    /// What is read from the output.
    pub measures: &'static [Measure],
}

/// Another program, or Carrel in another way.
#[derive(Debug)]
pub struct Rival {
    /// Whose figures these are.
    pub name: &'static str,
    /// A command line, its program first. The outputs of several are one array.
    pub commands: &'static [&'static str],
    /// Vectors that must be the same up to rounding, in Carrel's output and in the rival's: proof that both did the
    /// same work.
    pub agreement: Option<(&'static str, &'static str)>,
}

/// One figure.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// What it is called.
    pub name: &'static str,
    /// Where it stands in the JSON output (RFC 6901).
    pub pointer: &'static str,
    /// Its unit; empty for a share.
    pub unit: &'static str,
    /// The printed number times this is in that unit.
    pub scale: f64,
    /// What it is held against.
    pub peer: Option<Peer>,
}

/// Somebody else's figure, in the unit of Carrel's output.
#[derive(Debug, Clone, Copy)]
pub enum Peer {
    /// Published, for the retrieval set of this name.
    Published { name: &'static str, figure: f64, dataset: &'static str },
    /// From the output of the case's rival with this number. Of several places the one with the best median counts:
    /// a peer is measured as its users would set it up.
    Rival { number: usize, pointers: &'static [&'static str] },
    /// From another place of the same output.
    Same { name: &'static str, pointer: &'static str },
}

impl Benchmark {
    /// Whether it can run only with a retrieval set.
    pub fn needs_dataset(&self) -> bool {
        self.cases.iter().any(|case| case.command.contains("{dataset}"))
    }
}
