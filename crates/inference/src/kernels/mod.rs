//! Kernels for processors: products with packed weights, attention over paged keys and values, and the threads they run
//! on. The one place with `unsafe` code; every kernel has a plain form that it is tested against, bit by bit.
//!
//! What runs is chosen when the process starts ([`Isa`]). All forms give the same bits, and the bits of a row do not
//! depend on the rows that are computed beside it: an answer can be replayed, alone or in company, on any processor.
#![allow(unsafe_code)]

mod activations;
#[cfg(target_arch = "x86_64")]
mod amx;
mod attention;
pub(crate) mod dense;
mod elementwise;
mod float_matrix;
mod form;
mod isa;
mod kv;
mod matrix;
mod pack;
mod pool;
mod product;
mod rows;
mod step;
mod tile;
#[cfg(target_arch = "x86_64")]
mod tile_amx;
#[cfg(target_arch = "x86_64")]
mod tile_avx2;
#[cfg(target_arch = "x86_64")]
mod tile_avx512;

pub(crate) use activations::Activations;
pub(crate) use attention::{Scores, Span, attend};
pub(crate) use elementwise::{add, add_scaled, gelu_gate, rms_norm, rotate_halves, rotate_neighbours, silu_gate};
pub(crate) use float_matrix::FloatMatrix;
pub use isa::Arithmetic;
pub(crate) use kv::{BLOCK_TOKENS, KvLayer};
pub(crate) use matrix::{Matrix, Product, multiply_all};
pub(crate) use pool::{set_threads, threads};
pub(crate) use product::Element;
pub(crate) use rows::for_rows;
