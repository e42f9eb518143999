extension KernelScenario {
    static let all: [KernelScenario] = [
        KernelScenario(
            description: "equal borrowers",
            classes: [.init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 5, ceiling: 40), .init(id: 3, parent: 1, floor: 5, ceiling: 40)],
            flows: [.init(leaf: 2, size: 1_250), .init(leaf: 3, size: 1_250)], expected: [2: 20, 3: 20]),
        KernelScenario(
            description: "unequal quanta",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 2, ceiling: 40, quantum: 3_000),
                .init(id: 3, parent: 1, floor: 2, ceiling: 40, quantum: 9_000),
            ],
            flows: [.init(leaf: 2, size: 1_250), .init(leaf: 3, size: 1_250)], expected: [2: 11, 3: 29]),
        KernelScenario(
            description: "priorities",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 5, ceiling: 40, priority: 0),
                .init(id: 3, parent: 1, floor: 5, ceiling: 40, priority: 1),
            ],
            flows: [.init(leaf: 2, size: 1_250), .init(leaf: 3, size: 1_250)], expected: [2: 35, 3: 5]),
        KernelScenario(
            description: "nested floors",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 24, ceiling: 40),
                .init(id: 3, parent: 1, floor: 16, ceiling: 40), .init(id: 20, parent: 2, floor: 16, ceiling: 40),
                .init(id: 21, parent: 2, floor: 8, ceiling: 40), .init(id: 30, parent: 3, floor: 4, ceiling: 40),
                .init(id: 31, parent: 3, floor: 12, ceiling: 40),
            ],
            flows: [20, 21, 30, 31].map { .init(leaf: $0, size: 1_250) }, expected: [20: 16, 21: 8, 30: 4, 31: 12]),
        KernelScenario(
            description: "bound by a ceiling",
            classes: [.init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 5, ceiling: 10), .init(id: 3, parent: 1, floor: 5, ceiling: 40)],
            flows: [.init(leaf: 2, size: 1_250), .init(leaf: 3, size: 1_250)], expected: [2: 10, 3: 30]),
        KernelScenario(
            description: "floors only",
            classes: [.init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 10, ceiling: 10), .init(id: 3, parent: 1, floor: 20, ceiling: 20)],
            flows: [.init(leaf: 2, size: 1_250), .init(leaf: 3, size: 1_250)], expected: [2: 10, 3: 20]),
        KernelScenario(
            description: "a burst after idling",
            classes: [.init(id: 1, parent: 0, floor: 100, ceiling: 100, burst: 400_000), .init(id: 2, parent: 1, floor: 8, ceiling: 8, burst: 300_000)],
            flows: [.init(leaf: 2, size: 1_250)], expected: [2: 10.4], fromIdle: true),
        KernelScenario(
            description: "changed while running",
            classes: [.init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 30, ceiling: 40), .init(id: 3, parent: 1, floor: 10, ceiling: 40)],
            flows: [.init(leaf: 2, size: 1_250), .init(leaf: 3, size: 1_250)], expected: [2: 10, 3: 30],
            changes: [.init(id: 2, parent: 1, floor: 10, ceiling: 40), .init(id: 3, parent: 1, floor: 30, ceiling: 40)]),
        KernelScenario(
            description: "a deep tree",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 30, ceiling: 40), .init(id: 3, parent: 2, floor: 20, ceiling: 35),
                .init(id: 4, parent: 3, floor: 15, ceiling: 30), .init(id: 5, parent: 4, floor: 10, ceiling: 25), .init(id: 50, parent: 5, floor: 6, ceiling: 25),
                .init(id: 51, parent: 5, floor: 2, ceiling: 25), .init(id: 60, parent: 1, floor: 10, ceiling: 15),
            ],
            flows: [50, 51, 60].map { .init(leaf: $0, size: 1_250) }, expected: [50: 14.5, 51: 10.5, 60: 15]),
        KernelScenario(
            description: "many classes",
            classes: [.init(id: 1, parent: 0, floor: 40, ceiling: 40)] + (2..<26).map { .init(id: $0, parent: 1, floor: $0 < 14 ? 1 : 0.5, ceiling: 40) },
            flows: (2..<26).map { .init(leaf: $0, size: 1_250) },
            expected: Dictionary(uniqueKeysWithValues: (UInt16(2)..<26).map { ($0, ($0 < 14 ? 1 : 0.5) + 22.0 / 24) })),
        KernelScenario(
            description: "small packets beside large ones",
            classes: [.init(id: 1, parent: 0, floor: 10, ceiling: 10), .init(id: 2, parent: 1, floor: 2, ceiling: 10), .init(id: 3, parent: 1, floor: 4, ceiling: 10)],
            flows: [.init(leaf: 2, size: 125), .init(leaf: 3, size: 1_250)], expected: [2: 4, 3: 6]),
        KernelScenario(
            description: "mixed sizes, unequal quanta",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 4, ceiling: 40, quantum: 4_000),
                .init(id: 3, parent: 1, floor: 4, ceiling: 40, quantum: 8_000), .init(id: 4, parent: 1, floor: 4, ceiling: 40, quantum: 2_000),
            ],
            flows: [.init(leaf: 2, size: 700), .init(leaf: 3, size: 1_400), .init(leaf: 4, size: 300)], expected: [2: 12, 3: 20, 4: 8]),
        KernelScenario(
            description: "priorities within tenants",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 20, ceiling: 20), .init(id: 3, parent: 1, floor: 20, ceiling: 40),
                .init(id: 20, parent: 2, floor: 2, ceiling: 20, priority: 0), .init(id: 21, parent: 2, floor: 2, ceiling: 20, priority: 2),
                .init(id: 30, parent: 3, floor: 5, ceiling: 40, priority: 1),
            ],
            flows: [20, 21, 30].map { .init(leaf: $0, size: 1_250) }, expected: [20: 18, 21: 2, 30: 20]),
        KernelScenario(
            description: "a tenant of one beside a tenant of four",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 0.1, ceiling: 40), .init(id: 3, parent: 1, floor: 0.1, ceiling: 40),
                .init(id: 20, parent: 2, floor: 0.1, ceiling: 40),
            ] + (30..<34).map { .init(id: $0, parent: 3, floor: 0.1, ceiling: 40) },
            flows: [20, 30, 31, 32, 33].map { .init(leaf: $0, size: 1_250) }, expected: [20: 20, 30: 5, 31: 5, 32: 5, 33: 5],
            kernelFault: (
                "the kernel lets every leaf of a tenant take its turn before the next tenant's, so tenants share by their number of leaves",
                [20: 8, 30: 8, 31: 8, 32: 8, 33: 8])),
        KernelScenario(
            description: "a quantum below the frame",
            classes: [
                .init(id: 1, parent: 0, floor: 8, ceiling: 8), .init(id: 2, parent: 1, floor: 0.02, ceiling: 8, quantum: 1_000),
                .init(id: 3, parent: 1, floor: 0.02, ceiling: 8, quantum: 3_000),
            ],
            flows: [.init(leaf: 2, size: 1_400), .init(leaf: 3, size: 300)], expected: [2: 2, 3: 6],
            // The kernel serves 1400 bytes of one class for 3000 of the other in each round.
            kernelFault: (
                "the kernel sends one frame a visit even when the turn is still owed, so a quantum below the frame counts as the frame",
                [2: 0.02 + 7.96 * 1_400 / 4_400, 3: 0.02 + 7.96 * 3_000 / 4_400])),
        KernelScenario(
            description: "mixed sizes in one flow",
            classes: [
                .init(id: 1, parent: 0, floor: 20, ceiling: 20), .init(id: 2, parent: 1, floor: 2, ceiling: 20, quantum: 3_000),
                .init(id: 3, parent: 1, floor: 4, ceiling: 20, quantum: 6_000),
            ],
            flows: [.init(leaf: 2, sizes: [1_250, 125, 600, 1_400]), .init(leaf: 3, sizes: [1_514, 300, 1_000])],
            expected: [2: 2 + 14.0 / 3, 3: 4 + 28.0 / 3]),
        KernelScenario(
            description: "frames of 60 bytes",
            classes: [
                .init(id: 1, parent: 0, floor: 4, ceiling: 4), .init(id: 2, parent: 1, floor: 0.4, ceiling: 4),
                .init(id: 3, parent: 1, floor: 1.2, ceiling: 4), .init(id: 4, parent: 1, floor: 0.4, ceiling: 0.8),
            ],
            flows: [2, 3, 4].map { .init(leaf: $0, size: 60) }, expected: [2: 1.2, 3: 2, 4: 0.8]),
        // Buckets hold little more than a frame, as `tc class show` prints them if no burst was configured.
        KernelScenario(
            description: "small bursts beside long turns",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 4, ceiling: 8, quantum: 8_000, burst: 1_600),
                .init(id: 3, parent: 1, floor: 4, ceiling: 8, quantum: 8_000, burst: 1_600), .init(id: 4, parent: 1, floor: 12, ceiling: 40, quantum: 24_000, burst: 1_600),
            ],
            flows: [2, 3, 4].map { .init(leaf: $0, size: 1_514) }, expected: [2: 8, 3: 8, 4: 24],
            kernelFault: (
                "the kernel sends a class that comes back from its ceiling behind all others, so that it waits for their turns after each frame",
                [2: 5.76, 3: 5.76, 4: 28.4])),
        // Three guests have floors; all others share libvirt's class 1:2, which has what these floors leave.
        KernelScenario(
            description: "a class for those without floors",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 4, ceiling: 40), .init(id: 3, parent: 1, floor: 16, ceiling: 40),
                .init(id: 4, parent: 1, floor: 12, ceiling: 40), .init(id: 5, parent: 1, floor: 8, ceiling: 40),
            ],
            flows: [2, 3, 4, 5].map { .init(leaf: $0, size: 1_514) }, expected: [2: 4, 3: 16, 4: 12, 5: 8]),
        // A root, six inner classes and leaves make the deepest possible tree.
        KernelScenario(
            description: "eight levels",
            classes: [.init(id: 1, parent: 0, floor: 40, ceiling: 40)]
                + (UInt16(2)...7).map { .init(id: $0, parent: $0 - 1, floor: 32 - 4 * Double($0 - 2), ceiling: 38 - Double($0)) }
                + [.init(id: 70, parent: 7, floor: 8, ceiling: 40), .init(id: 71, parent: 7, floor: 2, ceiling: 40), .init(id: 60, parent: 1, floor: 5, ceiling: 40)],
            // The ceiling of class 7 is 31. What exceeds its floor of 12 is lent by the classes above it, up to the root.
            flows: [70, 71, 60].map { .init(leaf: $0, size: 1_250) }, expected: [70: 18.5, 71: 12.5, 60: 9]),
    ]
}
