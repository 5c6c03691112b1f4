//! `cargo xtask bench`: measures the release binary from outside, other engines in turn with it, keeps each figure with
//! its command, date, machine and versions in docs/benchmarks.json, and writes the tables of docs/benchmarks.md from it.

mod benchmark;
mod catalogue;
mod corpora;
mod engine;
mod measure;
mod peers;
mod place;
mod results;
mod setting;
mod table;

use crate::arguments::Arguments;
use crate::failure::{Failure, Result};
use crate::models::{ModelsFolder, fetch};
use crate::workspace::Workspace;
use benchmark::Benchmark;
use catalogue::BENCHMARKS;
use peers::Peers;
use place::Place;
use results::Results;
use setting::{CARREL, Setting};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Where retrieval sets lie when neither `--dataset` nor `$CARREL_EVAL` says so, seen from the repository.
const DATASETS: &str = "../shared/eval";

/// Reads the command line and does it.
pub fn run(mut arguments: Arguments) -> Result<()> {
    let runs = arguments.option("--runs")?.unwrap_or_else(|| "3".to_owned());
    let runs = runs.parse().ok().filter(|&runs: &usize| runs > 0);
    let runs = runs.ok_or_else(|| Failure::usage("--runs needs a number from 1 on"))?;
    let dataset = arguments.option("--dataset")?.map(PathBuf::from);
    let (list, peers) = (arguments.flag("--list"), !arguments.flag("--no-peers"));
    let prepare = arguments.flag("--prepare");
    let named: Vec<String> = std::iter::from_fn(|| arguments.word()).collect();
    arguments.finish()?;

    let chosen = choose(&named)?;
    if list {
        for benchmark in chosen {
            println!("{:12} {}", benchmark.name, benchmark.about);
        }
        return Ok(());
    }
    if prepare {
        return make_peers_ready(&chosen);
    }
    let workspace = Workspace::open()?;
    let mut setting = Setting::new(&workspace, dataset.unwrap_or_else(|| default_dataset(&workspace)))?;
    let mut results = Results::read(&workspace.path("docs/benchmarks.json"))?;
    let place = Place::here(&workspace);
    for benchmark in chosen {
        if benchmark.needs_dataset() && !setting.has_dataset() {
            let missing = format!(
                "{} needs a retrieval set; name its folder with --dataset, or the folder of sets with CARREL_EVAL",
                benchmark.name
            );
            if named.is_empty() {
                println!("{}: left out, {missing}", benchmark.name);
                continue;
            }
            return Err(Failure::new(missing));
        }
        println!("{}: {}", benchmark.name, benchmark.about);
        for command in benchmark.cases.iter().map(|case| case.command).chain(benchmark.prepare.iter().copied()) {
            setting.provide_corpora(&workspace, command)?;
        }
        results.merge(measure::measure(benchmark, &mut setting, &place, runs, peers)?);
        // After each benchmark, so that a later one that fails costs nothing.
        results.write(&workspace.path("docs/benchmarks.json"))?;
        table::write(&workspace.path("docs/benchmarks.md"), results.rows())?;
    }
    println!("docs/benchmarks.md is written");
    Ok(())
}

/// Builds and installs the peers of these benchmarks, and measures nothing.
fn make_peers_ready(benchmarks: &[&Benchmark]) -> Result<()> {
    let peers = Peers::open()?;
    let rivals = benchmarks.iter().flat_map(|benchmark| benchmark.cases).flat_map(|case| case.rivals);
    let words: BTreeSet<&str> =
        rivals.flat_map(|rival| rival.commands).filter_map(|command| command.split_whitespace().next()).collect();
    for word in words.into_iter().filter(|word| *word != CARREL) {
        peers.provide(word)?;
        println!("{word}: ready");
    }
    Ok(())
}

fn choose(named: &[String]) -> Result<Vec<&'static Benchmark>> {
    if named.is_empty() {
        return Ok(BENCHMARKS.iter().collect());
    }
    let find = |name: &String| {
        let known = || BENCHMARKS.iter().map(|benchmark| benchmark.name).collect::<Vec<_>>().join(", ");
        let found = BENCHMARKS.iter().find(|benchmark| benchmark.name == name);
        found.ok_or_else(|| Failure::usage(format!("there is no benchmark '{name}'; there are {}", known())))
    };
    named.iter().map(find).collect()
}

fn default_dataset(workspace: &Workspace) -> PathBuf {
    std::env::var_os("CARREL_EVAL").map_or_else(|| workspace.path(DATASETS), PathBuf::from).join("scifact")
}

impl Setting {
    /// Builds the server and fetches the models that benchmarks use.
    fn new(workspace: &Workspace, dataset: PathBuf) -> Result<Self> {
        let models = fetch::fetch(workspace, &ModelsFolder::open()?, &["generate-default", "embed-default"])?;
        let [generate, embed] = <[PathBuf; 2]>::try_from(models)
            .map_err(|_| Failure::new("models.lock gave other models than asked for"))?;
        Ok(Self {
            carrel: workspace.build_release()?,
            scratch: workspace.scratch("bench"),
            samples: workspace.path("tests/samples"),
            generate,
            embed,
            dataset,
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            peers: BTreeMap::new(),
            corpora: BTreeMap::new(),
        })
    }
}
