//! A filter that does nothing: what entering the VM costs, at the least, for the callbacks that wxgate exports too.

use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, MemorySection, MemoryType,
    Module, TypeSection, ValType,
};

/// `proxy_on_memory_allocate` gives out memory from here on, and never takes it back: nothing is ever given to this filter
/// but its configuration.
const HEAP: i32 = 1024;

/// The callbacks: how many i32 they take, and what they answer, if anything.
const CALLBACKS: [(&str, usize, Option<i32>); 11] = [
    ("_initialize", 0, None),
    ("proxy_abi_version_0_2_1", 0, None),
    ("proxy_on_vm_start", 2, Some(1)),
    ("proxy_on_configure", 2, Some(1)),
    ("proxy_on_context_create", 2, None),
    // 0 is Continue.
    ("proxy_on_request_headers", 3, Some(0)),
    ("proxy_on_request_body", 3, Some(0)),
    ("proxy_on_request_trailers", 2, Some(0)),
    ("proxy_on_response_headers", 3, Some(0)),
    ("proxy_on_http_call_response", 5, None),
    ("proxy_on_delete", 1, None),
];

/// The module.
pub(super) fn module() -> Vec<u8> {
    let (mut types, mut functions, mut exports, mut code) =
        (TypeSection::new(), FunctionSection::new(), ExportSection::new(), CodeSection::new());
    for (index, (name, parameters, answer)) in (0..).zip(CALLBACKS) {
        types.ty().function(vec![ValType::I32; parameters], answer.map(|_| ValType::I32));
        functions.function(index);
        exports.export(name, ExportKind::Func, index);
        let mut function = Function::new([]);
        if let Some(answer) = answer {
            function.instructions().i32_const(answer);
        }
        function.instructions().end();
        code.function(&function);
    }
    let allocate = functions.len();
    types.ty().function([ValType::I32], [ValType::I32]);
    functions.function(allocate);
    exports.export("proxy_on_memory_allocate", ExportKind::Func, allocate);
    exports.export("memory", ExportKind::Memory, 0);
    let mut function = Function::new([]);
    function.instructions().global_get(0).global_get(0).local_get(0).i32_add().global_set(0).end();
    code.function(&function);

    let mut memory = MemorySection::new();
    memory.memory(MemoryType { minimum: 2, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut globals = GlobalSection::new();
    globals.global(GlobalType { val_type: ValType::I32, mutable: true, shared: false }, &ConstExpr::i32_const(HEAP));
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memory).section(&globals).section(&exports).section(&code);
    module.finish()
}
