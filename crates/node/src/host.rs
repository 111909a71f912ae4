//! What an environment holds of Node-API.

use napi_sys as sys;

use crate::attached::Attachment;

/// The environment's side towards Node-API.
pub(crate) struct Host {
    pub(crate) env: sys::napi_env,
    pub(crate) attachment: Attachment,
    pub(crate) deliver: sys::napi_ref,
    /// Tells JavaScript that the environment is let go.
    pub(crate) let_go: sys::napi_ref,
    pub(crate) async_context: sys::napi_async_context,
    pub(crate) cleanup_hook: sys::napi_async_cleanup_hook_handle,
}

impl Host {
    /// Gives back what `attach` made, apart from the clean-up hook.
    pub(crate) fn release(&self) {
        // SAFETY: called once, while Node-API still takes calls; all were made by `attach`.
        unsafe {
            sys::napi_delete_reference(self.env, self.deliver);
            sys::napi_delete_reference(self.env, self.let_go);
            sys::napi_async_destroy(self.env, self.async_context);
        }
    }
}
