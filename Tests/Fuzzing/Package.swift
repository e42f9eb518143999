// swift-tools-version: 6.2
// Coverage-guided fuzzers of everything that reads what others wrote. `scripts/lab/fuzz` builds this package with libFuzzer and the sanitizers. It is
// a package of its own, so that every module in it is instrumented. Of the data plane there are the guests' rings alone; they need DPDK for its buffers.

import PackageDescription

#if arch(arm64)
let multiarch = "aarch64-linux-gnu"
let machine = "armv8-a+crc"
#else
let multiarch = "x86_64-linux-gnu"
let machine = "x86-64-v3"
#endif
/// As in Sluice's own package.
let dpdkFlags = ["-march=\(machine)", "-I/usr/include/dpdk", "-I/usr/include/\(multiarch)/dpdk"]
let dpdkC: [CSetting] = [.unsafeFlags(dpdkFlags + ["-O3"])]
let dpdkSwift: [SwiftSetting] = [.unsafeFlags(dpdkFlags.flatMap { ["-Xcc", $0] })]
let dpdkLibraries: [LinkerSetting] = [
    "rte_eal", "rte_mempool", "rte_mbuf", "rte_ethdev", "rte_net", "rte_ring", "rte_kvargs", "rte_bpf",
].map { .linkedLibrary($0) }

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
        .target(name: "VhostUser", path: "Modules/VhostUser"),
        .target(name: "Configuration", dependencies: ["Filters", "Packet", .product(name: "Yams", package: "Yams")], path: "Modules/Configuration"),
        .target(name: "Libvirt", dependencies: ["Configuration", "Packet"], path: "Modules/Libvirt"),
        .target(name: "ControlAPI", dependencies: ["Configuration", "Packet"], path: "Modules/ControlAPI"),
        // What reads the state file and its journals, without the rest of the control plane.
        .target(name: "ControlPlane", dependencies: ["ControlAPI", "Configuration", .product(name: "Logging", package: "swift-log")]),
        .target(name: "DPDKShim", path: "Modules/DPDKShim", cSettings: dpdkC, linkerSettings: dpdkLibraries),
        // The guests' rings, without the rest of the data plane.
        .target(name: "Rings", dependencies: ["DPDKShim", "Packet", "Configuration", "VhostUser"], swiftSettings: dpdkSwift),
        .executableTarget(
            name: "Fuzz", dependencies: ["Packet", "LinkProtocols", "Filters", "Configuration", "Libvirt", "ControlAPI", "ControlPlane", "VhostUser", "Rings"], swiftSettings: dpdkSwift),
    ]
)
