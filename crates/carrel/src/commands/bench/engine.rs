//! What benchmarks set and read in the engine beyond what requests can.

use crate::config::GenerateLimits;
use crate::site::{Failure, Site};
use inference::{GenerateRequest, Generator, GeneratorOptions, Message, ModelError, ModelKind, Progress, Usage};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A generator for `requests` at once in `context` tokens each, where `limits` say that it computes; `lookup` lets it draft
/// tokens from the prompt.
pub(super) async fn load(
    file: &Path,
    limits: &GenerateLimits,
    context: usize,
    requests: usize,
    lookup: bool,
) -> Result<Generator, Failure> {
    let options = GeneratorOptions {
        device: limits.device,
        threads: limits.threads,
        max_waiting: requests,
        max_running: requests,
        context_tokens: context,
        speculate: lookup,
        ..GeneratorOptions::default()
    };
    let file = file.to_owned();
    Ok(tokio::task::spawn_blocking(move || Generator::load(&file, options)).await??)
}

/// The file behind a model's name here, or a GGUF file itself.
pub(super) async fn model_file(site: Option<&Site>, model: &str) -> Result<PathBuf, Failure> {
    let path = PathBuf::from(model);
    let Some(site) = site else { return Ok(path) };
    let models = site.store.models().await?;
    let found = models.into_iter().find(|known| known.name == model && known.kind == ModelKind::Generate.as_str());
    Ok(site.data.join(found.ok_or_else(|| format!("there is no generation model '{model}' here"))?.file))
}

/// One request, watched from outside.
pub(super) struct Run {
    pub(super) usage: Usage,
    /// When the first text came.
    pub(super) first: Instant,
    /// When each text came, the first one included.
    pub(super) texts: Vec<Instant>,
    pub(super) end: Instant,
}

/// Runs one request to its end, greedily.
pub(super) async fn answer(
    generator: &Generator,
    messages: Vec<Message>,
    new: usize,
    key: Option<u64>,
) -> Result<Run, ModelError> {
    let request = GenerateRequest { messages, max_new_tokens: new, cache_key: key, ..GenerateRequest::default() };
    let mut stream = generator.generate(request)?;
    let mut texts = Vec::new();
    loop {
        match stream.next().await {
            Some(Ok(Progress::Text(_))) => texts.push(Instant::now()),
            Some(Ok(Progress::Finished(usage))) => {
                let end = Instant::now();
                return Ok(Run { usage, first: texts.first().copied().unwrap_or(end), texts, end });
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error),
            None => return Err(ModelError::Stopped),
        }
    }
}
