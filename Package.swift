// swift-tools-version: 6.2
// Sluice: a userspace fast-path packet scheduler on DPDK.

import PackageDescription

#if arch(arm64)
let multiarch = "aarch64-linux-gnu"
let machine = "armv8-a+crc"
#else
let multiarch = "x86_64-linux-gnu"
let machine = "x86-64-v3"
#endif

/// SwiftPM cannot read libdpdk.pc (its Description spans several lines), so what it would say stands here.
let dpdkFlags = ["-march=\(machine)", "-I/usr/include/dpdk", "-I/usr/include/\(multiarch)/dpdk"]
let dpdkC: [CSetting] = [.unsafeFlags(dpdkFlags + ["-O3"])]
let dpdkSwift: [SwiftSetting] = [.unsafeFlags(dpdkFlags.flatMap { ["-Xcc", $0] })]
/// The libraries Sluice itself calls. Drivers are plug-ins that EAL loads by itself.
let dpdkLibraries: [LinkerSetting] = [
    "rte_eal", "rte_mempool", "rte_mbuf", "rte_ethdev", "rte_net", "rte_ring", "rte_kvargs", "rte_bpf",
].map { .linkedLibrary($0) }

/// Foundation and the standard library inside the executable; SwiftPM has this for whole builds only (--static-swift-stdlib).
let staticFoundation = [
    "-static-stdlib", "-lCoreFoundation", "-l_FoundationICU", "-l_FoundationCShims", "-l_FoundationCollections",
    "-lswiftSynchronization", "-Xlinker", "--gc-sections",
]

/// Code that runs on a poll loop is compiled for the machine level DPDK's inline functions need.
let hot: [SwiftSetting] = [.unsafeFlags(["-Xcc", "-march=\(machine)"])]

let package = Package(
    name: "sluice",
    products: [
        .executable(name: "sluiced", targets: ["sluiced"]),
        .executable(name: "sluice", targets: ["sluice"]),
        .executable(name: "sluice-gen", targets: ["sluice-gen"]),
        .library(name: "Scheduler", targets: ["Scheduler"]),
        .library(name: "Packet", targets: ["Packet"]),
        .library(name: "Bridge", targets: ["Bridge"]),
        .library(name: "Configuration", targets: ["Configuration"]),
        .library(name: "DataPlane", targets: ["DataPlane"]),
        .library(name: "NUMA", targets: ["NUMA"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // What Swift cannot import by itself.
        .target(name: "DPDKShim", cSettings: dpdkC, linkerSettings: dpdkLibraries),
        .systemLibrary(name: "CNetlink", pkgConfig: "libnl-route-3.0", providers: [.apt(["libnl-3-dev", "libnl-route-3-dev"])]),
        .systemLibrary(name: "CNUMA", pkgConfig: "numa", providers: [.apt(["libnuma-dev"])]),
        .target(name: "Netlink", dependencies: ["CNetlink", "Packet"]),
        .target(name: "NUMA", dependencies: ["CNUMA"]),
        // libpcap, loaded when it is needed: who checks a configuration without filters does not wait for it.
        .target(name: "Filters"),

        // Pure modules: no DPDK, no clock, no system calls but for memory.
        .target(name: "Packet", swiftSettings: hot),
        .target(name: "Scheduler", dependencies: ["Packet"], swiftSettings: hot),
        .target(name: "Bridge", dependencies: ["Packet"], swiftSettings: hot),
        .target(name: "DCB", dependencies: ["Packet"], swiftSettings: hot),
        .target(name: "LinkProtocols", dependencies: ["Packet"], swiftSettings: hot),
        // Datagrams of sFlow.
        .target(name: "SFlow"),
        .target(name: "Configuration", dependencies: ["Filters", "Packet", .product(name: "Yams", package: "Yams")]),
        .target(name: "Libvirt", dependencies: ["Configuration", "Packet"]),
        .target(name: "BridgeImport", dependencies: ["Configuration", "Filters", "Libvirt", "Packet"]),
        // What is wrong with a host: facts that it reads from /proc and /sys, and pure checks of them.
        .target(name: "Doctor", dependencies: ["Configuration"]),
        .target(name: "ControlAPI", dependencies: ["Configuration", "Packet"]),
        // What two looks at the counters show: screens of top, and what holds a guest back.
        .target(name: "Diagnosis", dependencies: ["ControlAPI", "Configuration", "Packet"]),
        // How numbers become samples of OpenMetrics.
        .target(name: "Metrics"),

        // vhost-user: the protocol, pure, and its sockets, served by one thread.
        .target(name: "VhostUser"),
        // Calls of Linux that the Glibc module leaves out.
        .systemLibrary(name: "CLinux"),
        .target(name: "VhostSessions", dependencies: ["VhostUser", "CLinux"]),

        // The poll loops and what drives them.
        .target(
            name: "DataPlane",
            dependencies: ["DPDKShim", "Netlink", "NUMA", "Packet", "Scheduler", "Bridge", "DCB", "LinkProtocols", "Configuration", "Filters", "VhostSessions", "VhostUser"],
            swiftSettings: dpdkSwift),
        .target(
            name: "ControlPlane",
            dependencies: [
                "DataPlane", "ControlAPI", "Configuration", "DCB", "LinkProtocols", "Metrics", "SFlow",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: dpdkSwift),
        .executableTarget(
            name: "sluiced",
            dependencies: ["ControlPlane", "ControlAPI", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: dpdkSwift,
            // A host needs no Swift to run it. Its symbols stay, for the scan of the poll loops' machine code; the package has it without.
            linkerSettings: [.unsafeFlags(staticFoundation, .when(configuration: .release))]),
        .executableTarget(
            name: "sluice",
            dependencies: [
                "ControlAPI", "Configuration", "Diagnosis", "Doctor", "Libvirt", "BridgeImport", "Netlink", "Filters", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            // Loading Foundation's libraries would take longer than all the rest of a verb. No test target may depend on this one:
            // it would be linked that way too.
            linkerSettings: [.unsafeFlags(staticFoundation + ["-Xlinker", "-s"], .when(configuration: .release))]),

        // Traffic for tests, demonstrations and benchmarks: simulated guests over virtio_user.
        .target(name: "TrafficGenerator", dependencies: ["DPDKShim", "Packet", "Configuration", "VhostUser"], swiftSettings: dpdkSwift),
        .executableTarget(
            name: "sluice-gen",
            dependencies: ["TrafficGenerator", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: dpdkSwift,
            linkerSettings: [.unsafeFlags(staticFoundation, .when(configuration: .release))]),

        .target(name: "TestSupport", path: "Tests/TestSupport"),
        .testTarget(name: "PacketTests", dependencies: ["Packet", "TestSupport"]),
        .testTarget(name: "SchedulerTests", dependencies: ["Scheduler", "TestSupport"]),
        .testTarget(name: "BridgeTests", dependencies: ["Bridge", "Packet", "TestSupport"]),
        .testTarget(name: "DCBTests", dependencies: ["DCB", "Packet"]),
        .testTarget(name: "LinkProtocolsTests", dependencies: ["LinkProtocols", "Packet", "TestSupport"]),
        .testTarget(name: "SFlowTests", dependencies: ["SFlow", "TestSupport"]),
        .testTarget(name: "VhostUserTests", dependencies: ["VhostUser"]),
        .testTarget(name: "VhostSessionsTests", dependencies: ["VhostSessions", "VhostUser", "CLinux"]),
        .testTarget(name: "NetlinkTests", dependencies: ["Netlink", "NUMA", "Packet"]),
        .testTarget(
            name: "DataPlaneTests", dependencies: ["DataPlane", "Configuration", "Filters", "Scheduler", "Bridge", "DCB", "Packet", "TestSupport"], swiftSettings: dpdkSwift),
        .testTarget(name: "ConfigurationTests", dependencies: ["Configuration", "Filters", "TestSupport"]),
        .testTarget(name: "DoctorTests", dependencies: ["Doctor", "Configuration"]),
        .testTarget(name: "LibvirtTests", dependencies: ["Libvirt", "Configuration", "Packet", "TestSupport"]),
        .testTarget(name: "BridgeImportTests", dependencies: ["BridgeImport", "Configuration", "Packet", "TestSupport"]),
        .testTarget(name: "DiagnosisTests", dependencies: ["Diagnosis", "ControlAPI"]),
        .testTarget(name: "MetricsTests", dependencies: ["Metrics", "TestSupport"]),
        .testTarget(
            name: "ControlTests", dependencies: ["ControlPlane", "ControlAPI", "Configuration", "Metrics", "TestSupport", .product(name: "Logging", package: "swift-log")],
            swiftSettings: dpdkSwift),
        .testTarget(name: "TrafficGeneratorTests", dependencies: ["TrafficGenerator", "Packet", "TestSupport"], swiftSettings: dpdkSwift),
        .testTarget(name: "SystemTests", dependencies: ["ControlAPI", "Configuration", "TestSupport"]),
    ]
)
