// swift-tools-version: 6.2
// Coverage-guided fuzzers of everything that reads what others wrote. `scripts/lab/fuzz` builds this package with libFuzzer and AddressSanitizer. It is
// a package of its own, so that every module in it is instrumented, and none of them needs DPDK.

import PackageDescription

let package = Package(
    name: "fuzzing",
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .target(name: "Packet", path: "Modules/Packet"),
        .target(name: "LinkProtocols", dependencies: ["Packet"], path: "Modules/LinkProtocols"),
        .target(name: "Filters", path: "Modules/Filters"),
        .target(name: "Configuration", dependencies: ["Filters", "Packet", .product(name: "Yams", package: "Yams")], path: "Modules/Configuration"),
        .target(name: "Libvirt", dependencies: ["Configuration", "Packet"], path: "Modules/Libvirt"),
        .target(name: "ControlAPI", dependencies: ["Configuration", "Packet"], path: "Modules/ControlAPI"),
        // What reads the state file and its journals, without the rest of the control plane.
        .target(name: "ControlPlane", dependencies: ["ControlAPI", "Configuration", .product(name: "Logging", package: "swift-log")]),
        .executableTarget(
            name: "Fuzz", dependencies: ["Packet", "LinkProtocols", "Filters", "Configuration", "Libvirt", "ControlAPI", "ControlPlane"]),
    ]
)
