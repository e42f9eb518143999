// swift-tools-version: 6.2
// Compares Sluice with its peers, in one run each. It is a package of its own, so the switch itself depends on none of this.

import PackageDescription

#if arch(arm64)
let multiarch = "aarch64-linux-gnu"
let machine = "armv8-a+crc"
#else
let multiarch = "x86_64-linux-gnu"
let machine = "x86-64-v3"
#endif

let dpdkFlags = ["-march=\(machine)", "-I/usr/include/dpdk", "-I/usr/include/\(multiarch)/dpdk"]
let dpdkC: [CSetting] = [.unsafeFlags(["-O3"] + dpdkFlags)]

let package = Package(
    name: "benchmarks",
    dependencies: [
        .package(name: "sluice", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        // DPDK's own hierarchical scheduler, used through its public interface.
        .target(
            name: "SchedPeer",
            cSettings: dpdkC,
            linkerSettings: ["rte_eal", "rte_mempool", "rte_mbuf", "rte_sched"].map { .linkedLibrary($0) }),
        .executableTarget(
            name: "scheduler-benchmark",
            dependencies: ["SchedPeer", .product(name: "Scheduler", package: "sluice")],
            path: "Sources/SchedulerBenchmark"),
        // Devices in memory, for poll loops that run without anything connected to them.
        .target(
            name: "RingPorts", cSettings: dpdkC,
            linkerSettings: ["rte_eal", "rte_mempool", "rte_mbuf", "rte_ring", "rte_ethdev", "rte_net_ring"].map { .linkedLibrary($0) }),
        .executableTarget(
            name: "forwarding-benchmark",
            dependencies: [
                "MachineCode", "Measuring", "RingPorts", "Spinner", "Stepping", .product(name: "DataPlane", package: "sluice"), .product(name: "Configuration", package: "sluice"),
                .product(name: "NUMA", package: "sluice"), .product(name: "Packet", package: "sluice"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/ForwardingBenchmark",
            swiftSettings: [.unsafeFlags(dpdkFlags.flatMap { ["-Xcc", $0] })]),
        // Threads that keep a CPU busy without a switch.
        .target(name: "Spinner", cSettings: [.unsafeFlags(["-O2"])]),
        // Executes the instructions of a thread one at a time.
        .target(name: "Stepping"),
        // Finds out from objdump's output what instructions do to memory. Pure code.
        .target(name: "MachineCode"),
        // Searching, judging and drawing. Uses neither processes nor a clock.
        .target(name: "Measuring"),
        .executableTarget(
            name: "benchmark-suite",
            dependencies: ["Measuring", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Sources/BenchmarkSuite"),
        .testTarget(name: "MeasuringTests", dependencies: ["Measuring"]),
        .testTarget(name: "MachineCodeTests", dependencies: ["MachineCode"]),
    ]
)
