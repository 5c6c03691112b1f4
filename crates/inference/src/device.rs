//! Where a model computes: on the processors, or on a GPU in a program that was built for one.

use crate::ModelError;
use crate::decoder::Decoder;
use crate::decoder::model::DecoderModel;
use crate::gguf::GgufFile;
use serde::{Deserialize, Serialize};

/// Where a generation model of this machine computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// On the first GPU, if the program was built for GPUs (docs/cuda.md) and there is one that the model fits on; else
    /// on the processors.
    #[default]
    Auto,
    /// On the processors.
    Cpu,
    /// On the first GPU, or not at all.
    Gpu,
}

/// Where one attempt at loading a model puts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Processors,
    Gpu,
}

impl Device {
    /// Loads by `attempt` where this says.
    pub(crate) fn load<T>(self, attempt: impl Fn(Place) -> Result<T, ModelError>) -> Result<T, ModelError> {
        match self {
            Self::Gpu => attempt(Place::Gpu),
            Self::Auto if cfg!(feature = "cuda") => match attempt(Place::Gpu) {
                // The file's own faults would be the same on the processors.
                Err(error @ (ModelError::NoGpu { .. } | ModelError::Compute { .. })) => {
                    tracing::warn!("the model computes on the processors: {error}");
                    attempt(Place::Processors)
                }
                done => done,
            },
            Self::Auto | Self::Cpu => attempt(Place::Processors),
        }
    }
}

/// Reads all weights of a model to `place`. `context` caps the tokens of a sequence.
pub(crate) fn read_decoder(
    gguf: &mut GgufFile,
    context: usize,
    place: Place,
) -> Result<Box<dyn DecoderModel>, ModelError> {
    match place {
        Place::Processors => Ok(Box::new(Decoder::read(gguf, context)?)),
        Place::Gpu => on_gpu(gguf, context),
    }
}

#[cfg(feature = "cuda")]
fn on_gpu(gguf: &mut GgufFile, context: usize) -> Result<Box<dyn DecoderModel>, ModelError> {
    Ok(Box::new(crate::cuda::CudaDecoder::load(gguf, context)?))
}

#[cfg(not(feature = "cuda"))]
fn on_gpu(_: &mut GgufFile, _: usize) -> Result<Box<dyn DecoderModel>, ModelError> {
    let reason = "this program was built without support for GPUs; set generate.device to \"cpu\" or \"auto\", or use \
                  the program that was built for them (docs/cuda.md)";
    Err(ModelError::NoGpu { reason: reason.to_owned() })
}
