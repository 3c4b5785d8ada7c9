//! The proofs of a session, by model and closure, so that a step's recording is compared with one and not proved again.

use std::any::TypeId;
use std::sync::Arc;

use burn_privacy_traced::{Graph, Proof, TraceError};

/// Proofs that are remembered: several batch sizes and closures in turn, and a bound on memory.
const REMEMBERED: usize = 16;

/// A program: the types of its model and its closure.
pub(crate) type Program = (TypeId, TypeId);

#[derive(Debug, Default)]
pub(crate) struct Proofs(Vec<(Program, Arc<Proof>)>);

impl Proofs {
    /// The proof that a recording of a program falls under.
    ///
    /// # Errors
    ///
    /// If it falls under one but for its constants.
    pub(crate) fn of(&self, program: Program, graph: &Graph) -> Result<Option<Arc<Proof>>, TraceError> {
        let mut refusal = Ok(None);
        for (_, proof) in self.0.iter().filter(|(known, _)| *known == program) {
            match proof.admits(graph) {
                Ok(true) => return Ok(Some(proof.clone())),
                Ok(false) => {}
                Err(error) => refusal = Err(error),
            }
        }
        // A program may have several proofs, for sizes at which Burn takes other operations: any of them will do.
        refusal
    }

    /// Remembers the proof of a program.
    pub(crate) fn remember(&mut self, program: Program, proof: Proof) -> Arc<Proof> {
        let proof = Arc::new(proof);
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push((program, proof.clone()));
        proof
    }
}
