//! Generates the client from the contract, with the protoc on PATH.

fn main() -> std::io::Result<()> {
    tonic_prost_build::configure()
        .build_server(false)
        .extern_path(".google.rpc", "::tonic_types::pb")
        .compile_protos(
            &["../../../proto/annals/v1/history_service.proto"],
            &["../../../proto"],
        )
}
