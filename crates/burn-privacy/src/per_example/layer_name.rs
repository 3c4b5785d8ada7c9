//! What to call a layer in a refusal, and what to do about one that no rule covers.

/// Layers of Burn that have a counterpart of the same name in [`nn`](crate::nn).
const COVERED: [&str; 5] = ["Conv2d", "Embedding", "GroupNorm", "LayerNorm", "Linear"];

/// Layers of Burn with parameters of their own and without a counterpart.
const UNCOVERED: [&str; 10] = [
    "BatchNorm",
    "Conv1d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "DeformConv2d",
    "InstanceNorm",
    "PRelu",
    "RmsNorm",
];

/// Layers of Burn that are made of others: what is inside can't be exchanged.
const COMPOSED: [&str; 15] = [
    "BiGru",
    "BiLstm",
    "BiRnn",
    "CrossAttention",
    "GateController",
    "Gru",
    "Lstm",
    "MultiHeadAttention",
    "PositionWiseFeedForward",
    "Rnn",
    "SwiGlu",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
];

/// What works for a layer without a counterpart.
const OTHERWISE: &str = "train with PerExample::Loop, build it of the layers of burn_privacy::nn, implement PerExampleRule \
                         for a layer of your own, or freeze it (Module::freeze_group)";

/// The layer of a module that a parameter should be said to be in, and what to do: `containers` are the structs around it, from
/// the outside.
pub(super) fn layer_and_remedy(containers: &[String]) -> (String, String) {
    let outermost = containers.iter().find(|name| COMPOSED.contains(&name.as_str()));
    let Some(layer) = outermost.or(containers.last()) else {
        return ("the model".into(), bare_parameter());
    };
    let remedy = if outermost.is_some() || UNCOVERED.contains(&layer.as_str()) {
        format!("burn_privacy::nn has no {layer}: {OTHERWISE}")
    } else if COVERED.contains(&layer.as_str()) {
        format!(
            "Put burn_privacy::nn::{layer} in the place of burn::nn::{layer} (`From` converts both ways), train with \
             PerExample::Loop, or freeze it (Module::freeze_group)"
        )
    } else {
        bare_parameter()
    };
    (layer.clone(), remedy)
}

fn bare_parameter() -> String {
    "Use a bare parameter through burn_privacy::per_example::per_example(&parameter, examples), implement PerExampleRule \
     for a layer of your own, freeze it (Module::freeze_group), or train with PerExample::Loop"
        .into()
}

/// The name of a layer by the type name of its rule.
pub(super) fn layer_name(rule: &str) -> String {
    let path = rule.split('<').next().unwrap_or(rule);
    let name = path.rsplit("::").next().unwrap_or(path);
    match name.strip_suffix("Rule").unwrap_or(name) {
        "Affine" => "a LayerNorm or GroupNorm".into(),
        "Param" => "a bare parameter".into(),
        name => format!("a layer of kind {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remedy(containers: &[&str]) -> (String, String) {
        layer_and_remedy(&containers.iter().map(|name| name.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn a_counterpart_is_proposed_only_where_there_is_one() {
        for name in COVERED {
            let (layer, remedy) = remedy(&["Model", name]);
            assert_eq!(layer, name);
            assert!(remedy.contains(&format!("Put burn_privacy::nn::{name} ")), "{remedy}");
        }
        for name in UNCOVERED {
            let (layer, remedy) = remedy(&["Model", name]);
            assert_eq!(layer, name);
            assert!(remedy.starts_with(&format!("burn_privacy::nn has no {name}")), "{remedy}");
        }
    }

    #[test]
    fn what_is_inside_a_composed_layer_is_said_to_be_of_that_layer() {
        for name in COMPOSED {
            let (layer, remedy) = remedy(&["Model", name, "GateController", "Linear"]);
            assert_eq!(layer, name);
            assert!(remedy.contains(&format!("has no {name}")) && !remedy.contains("Put "), "{remedy}");
        }
        assert_eq!(remedy(&["Model", "TransformerEncoder", "MultiHeadAttention", "Linear"]).0, "TransformerEncoder");
    }

    #[test]
    fn bare_parameters_and_rules() {
        assert!(remedy(&[]).1.contains("per_example(&parameter, examples)"));
        assert!(remedy(&["Model"]).1.contains("per_example(&parameter, examples)"));
        assert_eq!(layer_name("burn_privacy::nn::linear::LinearRule"), "a layer of kind Linear");
        assert_eq!(layer_name("mine::GainRule<a::b::C>"), "a layer of kind Gain");
        assert_eq!(layer_name("burn_privacy::per_example::param::ParamRule"), "a bare parameter");
    }
}
