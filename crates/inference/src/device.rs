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

/// Reads all weights of a model to where it is to compute, and tells whether that is a GPU. `context` caps the tokens of
/// a sequence.
pub(crate) fn read_decoder(
    gguf: &mut GgufFile,
    context: usize,
    device: Device,
) -> Result<(Box<dyn DecoderModel>, bool), ModelError> {
    match device {
        Device::Gpu => return Ok((on_gpu(gguf, context)?, true)),
        Device::Auto if cfg!(feature = "cuda") => match on_gpu(gguf, context) {
            Ok(decoder) => return Ok((decoder, true)),
            // The file's own faults would be the same on the processors.
            Err(ModelError::Compute { reason }) => tracing::warn!("the model computes on the processors: {reason}"),
            Err(other) => return Err(other),
        },
        Device::Auto | Device::Cpu => {}
    }
    Ok((Box::new(Decoder::read(gguf, context)?), false))
}

#[cfg(feature = "cuda")]
fn on_gpu(gguf: &mut GgufFile, context: usize) -> Result<Box<dyn DecoderModel>, ModelError> {
    Ok(Box::new(crate::cuda::CudaDecoder::load(gguf, context)?))
}

#[cfg(not(feature = "cuda"))]
fn on_gpu(_: &mut GgufFile, _: usize) -> Result<Box<dyn DecoderModel>, ModelError> {
    let reason = "this program was built without support for GPUs; set generate.device to \"cpu\" or \"auto\", or use \
                  the program that was built for them (docs/cuda.md)";
    Err(ModelError::Compute { reason: reason.to_owned() })
}
