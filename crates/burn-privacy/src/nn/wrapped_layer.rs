//! What every wrapper around one of Burn's layers has in common, as a macro.

/// Makes a tuple struct around one of Burn's layers a module with that layer's own parameter paths, device
/// handling and display, and converts both ways.
macro_rules! wrapped_layer {
    ($layer:ident, $burn:ty) => {
        impl From<$burn> for $layer {
            fn from(layer: $burn) -> Self {
                Self(layer)
            }
        }

        impl From<$layer> for $burn {
            fn from(layer: $layer) -> Self {
                layer.0
            }
        }

        impl std::ops::Deref for $layer {
            type Target = $burn;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl std::ops::DerefMut for $layer {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.0
            }
        }

        impl burn::module::Module for $layer {
            fn collect_devices(&self, devices: burn::module::Devices) -> burn::module::Devices {
                self.0.collect_devices(devices)
            }

            fn fork(self, device: &burn::tensor::Device) -> Self {
                Self(self.0.fork(device))
            }

            fn to_device(self, device: &burn::tensor::Device) -> Self {
                Self(self.0.to_device(device))
            }

            fn visit<Visitor: burn::module::ModuleVisitor>(&self, visitor: &mut Visitor) {
                self.0.visit(visitor);
            }

            fn map<Mapper: burn::module::ModuleMapper>(self, mapper: &mut Mapper) -> Self {
                Self(self.0.map(mapper))
            }

            fn train(self) -> Self {
                Self(self.0.train())
            }

            fn valid(&self) -> Self {
                Self(self.0.valid())
            }

            fn materialize(self) -> Self {
                Self(self.0.materialize())
            }
        }

        impl burn::module::ModuleDisplayDefault for $layer {
            fn content(&self, content: burn::module::Content) -> Option<burn::module::Content> {
                self.0.content(content)
            }

            fn num_params(&self) -> usize {
                burn::module::Module::num_params(self)
            }
        }

        impl burn::module::ModuleDisplay for $layer {
            fn custom_settings(&self) -> Option<burn::module::DisplaySettings> {
                burn::module::ModuleDisplay::custom_settings(&self.0)
            }

            fn custom_content(&self, content: burn::module::Content) -> Option<burn::module::Content> {
                burn::module::ModuleDisplay::custom_content(&self.0, content)
            }
        }

        impl std::fmt::Display for $layer {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

pub(super) use wrapped_layer;
