//! Files of weights of all formats into stock modules, and what is said of those that don't fit.

use std::path::Path;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig, Linear, LinearConfig};
use burn::prelude::*;
use burn_privacy_pretrained::{PretrainedError, WeightFile};
use burn_store::{BurnToPyTorchAdapter, ModuleSnapshot, SafetensorsStore};

#[derive(Module, Debug)]
struct Inner {
    conv: Conv2d,
    batch: BatchNorm,
    group: GroupNorm,
}

#[derive(Module, Debug)]
struct Network {
    blocks: Vec<Inner>,
    head: Linear,
}

impl Network {
    fn new(classes: usize, device: &Device) -> Self {
        let inner = || Inner {
            conv: Conv2dConfig::new([2, 2], [3, 3]).init(device),
            batch: BatchNormConfig::new(2).init(device),
            group: GroupNormConfig::new(1, 2).init(device),
        };
        Self { blocks: vec![inner(), inner()], head: LinearConfig::new(2, classes).init(device) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.blocks.iter().fold(x, |x, block| block.group.forward(block.batch.forward(block.conv.forward(x))));
        self.head.forward(x.mean_dim(3).mean_dim(2).flatten(1, 3))
    }
}

fn outputs(network: &Network, device: &Device) -> Vec<f32> {
    let x = Tensor::<1, Int>::arange(0..294, device).float().sin().reshape([3, 2, 7, 7]);
    network.forward(x).into_data().iter::<f32>().collect()
}

/// Loads what `save` wrote into a network of other weights, and compares outputs.
fn round_trip(name: &str, save: impl Fn(&Network, &Path), prepare: impl Fn(WeightFile) -> WeightFile) {
    let (device, folder) = (Device::flex(), tempfile::tempdir().unwrap());
    let network = Network::new(4, &device);
    let expected = outputs(&network, &device);
    let path = folder.path().join(name);
    save(&network, &path);
    let other = Network::new(4, &device);
    assert_ne!(outputs(&other, &device), expected);
    let (other, loaded) = prepare(WeightFile::new(&path)).load_into(other).unwrap();
    assert_eq!(outputs(&other, &device), expected, "{name}");
    // Of each block two of the convolution, four and two of the norms; two of the head.
    assert_eq!((loaded.applied.len(), loaded.kept.len(), loaded.unused.len()), (18, 0, 0));
}

#[test]
fn all_formats_and_layouts_give_the_same_outputs() {
    round_trip("own.bpk", |network, path| network.clone().save_file(path).unwrap(), |file| file);
    let burn = |network: &Network, path: &Path| network.save_into(&mut SafetensorsStore::from_file(path)).unwrap();
    round_trip("burn.safetensors", burn, |file| file);
    // As PyTorch's users write them: linear weights transposed, norms with `weight` and `bias`, no word of Burn.
    let pytorch = |network: &Network, path: &Path| {
        let store = SafetensorsStore::from_file(path).clear_metadata().metadata("format", "pt");
        network.save_into(&mut store.with_to_adapter(BurnToPyTorchAdapter)).unwrap();
    };
    round_trip("pytorch.safetensors", pytorch, |file| file);
    // Under other names.
    let renamed = |network: &Network, path: &Path| {
        let store = SafetensorsStore::from_file(path).with_key_remapping(r"^blocks\.", "module.layer_");
        network.save_into(&mut store.with_key_remapping(r"^head\.", "module.fc.")).unwrap();
    };
    round_trip("renamed.safetensors", renamed, |file| {
        file.with_renaming("^module\\.", "").with_renaming("^layer_(\\d+)", "blocks.$1").with_renaming("^fc", "head")
    });
}

#[test]
fn what_does_not_fit_is_said_by_name_and_nothing_is_loaded() {
    let (device, folder) = (Device::flex(), tempfile::tempdir().unwrap());
    let path = folder.path().join("public.bpk");
    Network::new(1000, &device).save_file(&path).unwrap();
    let refused = WeightFile::new(&path).with_renaming("^blocks.1", "layer").load_into(Network::new(4, &device));
    let error = refused.unwrap_err();
    let PretrainedError::Mismatch { missing, differing, unused, .. } = &error else { panic!("{error}") };
    assert_eq!((missing.len(), differing.len(), unused.len()), (8, 2, 8));
    let message = error.to_string();
    for part in [
        "Not in the file: blocks.1.",
        "head.weight: [2, 1000] in the file, [2, 4] in the module",
        "with no place in the module: layer.batch.beta;",
        "keeping",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let kept = WeightFile::new(&path).keeping("^head").load_into(Network::new(4, &device)).unwrap().1;
    assert_eq!(kept.kept, ["head.bias", "head.weight"]);
}

#[test]
fn files_and_patterns_that_can_not_be_read_are_refused() {
    let (device, folder) = (Device::flex(), tempfile::tempdir().unwrap());
    let network = || Network::new(4, &device);
    for name in ["absent.bpk", "absent.safetensors", "absent.pth"] {
        let error = WeightFile::new(folder.path().join(name)).load_into(network()).unwrap_err();
        assert!(matches!(error, PretrainedError::Read { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
        let path = folder.path().join(name.replace("absent", "broken"));
        std::fs::write(&path, b"\x08\0\0\0\0\0\0\0nonsense and more of it").unwrap();
        let error = WeightFile::new(path).load_into(network()).unwrap_err();
        assert!(matches!(error, PretrainedError::Read { .. }), "{error}");
    }
    let unknown = WeightFile::new("weights.npz").load_into(network()).unwrap_err();
    assert!(unknown.to_string().contains("safetensors"), "{unknown}");
    let path = folder.path().join("public.bpk");
    network().save_file(&path).unwrap();
    let pattern = WeightFile::new(&path).with_renaming("(", "").load_into(network()).unwrap_err();
    assert!(matches!(pattern, PretrainedError::Pattern { .. }), "{pattern}");
    let same = WeightFile::new(&path).with_renaming("blocks.1", "blocks.0").load_into(network()).unwrap_err();
    assert!(matches!(same, PretrainedError::SameName { .. }), "{same}");
}
