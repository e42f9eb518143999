import Scheduler
import Testing

/// What is lent is shared by priority and quantum over all instances as over a single one: `SharedTree+Shares`.
@Suite struct ShareTests {
    /// A tree, the instances in which its leaves are served, and how much each instance runs.
    struct Scene: CustomTestStringConvertible {
        let name: String
        let root: ClassParameters
        let classes: [(id: ClassID, parent: ClassID, parameters: ClassParameters)]
        /// For each leaf, the instances in which it always has frames.
        let places: [ClassID: [Int]]
        let count: Int
        var duties: [Cluster.Duty] = [Cluster.Duty()]
        var step: Nanoseconds = 5_000
        /// The tolerance, as a part of what the leaf gets and, in addition, as a part of the rate.
        var within = 0.02
        var ofRate = 0.0
        var testDescription: String { "\(name), \(count) instances" }
    }

    static func scenes(_ count: Int) -> [Scene] { scenes(count, burst: 16_384, slow: false) + scenes(count, burst: 65_536, slow: true) }

    static func scenes(_ count: Int, burst: UInt64, slow isSlow: Bool) -> [Scene] {
        let root = ClassParameters.mbit(500, ceil: 500, burst: 65_536, ceilingBurst: 65_536)
        func leaf(_ floor: UInt64, _ quantum: UInt32, priority: UInt8 = 3, ceil: UInt64 = 500) -> ClassParameters {
            .mbit(floor, ceil: ceil, priority: priority, quantum: quantum, burst: burst, ceilingBurst: burst)
        }
        var all: [Scene] = []
        all.append(Scene(
            name: "two floors", root: root, classes: [(2, 1, leaf(300, 60_000)), (3, 1, leaf(100, 20_000))], places: [2: [0], 3: [count > 1 ? 1 : 0]], count: count))
        all.append(Scene(
            name: "two floors, big quanta", root: root, classes: [(2, 1, leaf(300, 196_608)), (3, 1, leaf(100, 65_536))], places: [2: [0], 3: [count > 1 ? 1 : 0]], count: count))
        all.append(Scene(
            name: "no floors, 30:1", root: root, classes: [(2, 1, leaf(0, 60_000)), (3, 1, leaf(0, 2_000))], places: [2: [0], 3: [count > 1 ? 1 : 0]], count: count))
        all.append(Scene(
            name: "priorities", root: root, classes: [(2, 1, leaf(300, 60_000, priority: 0)), (3, 1, leaf(100, 20_000, priority: 7))],
            places: [2: [0], 3: [count > 1 ? 1 : 0]], count: count))
        // The guests of one parent are spread over the instances.
        var classes: [(id: ClassID, parent: ClassID, parameters: ClassParameters)] = [(2, 1, leaf(100, 30_000)), (3, 1, leaf(50, 10_000))]
        var places: [ClassID: [Int]] = [3: [0]]
        for index in 0..<count {
            classes.append((ClassID(10 + index), 2, leaf(0, UInt32(1_514 * (1 + index % 3)))))
            places[ClassID(10 + index)] = [index]
        }
        all.append(Scene(name: "a group spread evenly", root: root, classes: classes, places: places, count: count))
        for index in 0..<count { places[ClassID(10 + index)] = [index < count * 3 / 4 ? 0 : index] }
        all.append(Scene(name: "a group spread unevenly", root: root, classes: classes, places: places, count: count))
        // The tree has three levels.
        classes = [(2, 1, leaf(100, 30_000)), (3, 1, leaf(50, 10_000)), (4, 2, leaf(50, 20_000)), (5, 2, leaf(10, 10_000))]
        places = [3: [0]]
        for index in 0..<count {
            classes.append((ClassID(10 + index), 4, leaf(0, UInt32(1_514 * (1 + index % 2)))))
            classes.append((ClassID(40 + index), 5, leaf(0, 3_000)))
            places[ClassID(10 + index)] = [index]
            places[ClassID(40 + index)] = [(index * 5 + 1) % count]
        }
        all.append(Scene(
            name: "three levels", root: root, classes: classes, places: places, count: count, ofRate: count < 8 ? 0 : 0.005))
        all.append(Scene(
            name: "a ceiling above", root: .mbit(1_000, ceil: 1_000, burst: 65_536, ceilingBurst: 65_536),
            classes: [(2, 1, leaf(0, 30_000, ceil: 500)), (3, 2, leaf(300, 60_000)), (4, 2, leaf(100, 20_000))], places: [3: [0], 4: [count > 1 ? 1 : 0]], count: count))
        // One leaf is served by all instances.
        all.append(Scene(
            name: "a leaf everywhere", root: root, classes: [(2, 1, leaf(0, 20_000)), (3, 1, leaf(0, 20_000))],
            places: [2: [0], 3: Array(0..<count)], count: count))
        if !isSlow { return all }
        let slow = [Cluster.Duty(run: 50_000, period: 200_000)] + Array(repeating: Cluster.Duty(), count: count - 1)
        return all.filter { ["two floors", "priorities", "a ceiling above", "a group spread evenly"].contains($0.name) }.map { scene in
            Scene(
                name: scene.name + ", the first slow", root: scene.root, classes: scene.classes, places: scene.places, count: count, duties: slow,
                within: 0.1)
        }
    }

    static func cluster(_ scene: Scene, single: Bool) -> Cluster {
        let cluster = Cluster(single ? 1 : scene.count, root: scene.root)
        for one in scene.classes { cluster.add(one.id, under: one.parent, one.parameters) }
        for (leaf, places) in scene.places { for place in single ? [0] : places { cluster.instances[place].greedy[leaf] = 1_514 } }
        return cluster
    }

    /// A tree that leases nothing.
    static func bench(_ scene: Scene) -> Bench {
        let bench = Bench(root: scene.root, classes: 128, now: Cluster.start)
        for one in scene.classes { bench.add(one.id, under: one.parent, one.parameters) }
        for leaf in scene.places.keys { bench.greedy[leaf] = 1_514 }
        return bench
    }

    @Test(arguments: [1, 2, 4, 8, 16].flatMap { scenes($0) }) func sharesAreThoseOfOneInstance(scene: Scene) {
        let one = Self.bench(scene), many = Self.cluster(scene, single: false)
        one.run(until: one.now + 100 * millisecond, step: scene.step)
        one.forget()
        one.run(until: one.now + 400 * millisecond, step: scene.step)
        many.run(for: 100 * millisecond, step: scene.step, duties: scene.duties)
        // A frame more or less at either end of a window.
        let frames = 2 * 1_514 * 8.0 / 0.1 + scene.ofRate * 500e6
        for _ in 0..<3 {
            many.forget()
            many.run(for: 100 * millisecond, step: scene.step, duties: scene.duties)
            for leaf in scene.places.keys.sorted() {
                let alone = one.rate(leaf, over: 400 * millisecond), rate = many.rate(leaf, over: 100 * millisecond)
                #expect(abs(rate - alone) <= alone * scene.within + frames, "\(leaf): \(Int(rate / 1e3)) kbit/s instead of \(Int(alone / 1e3))")
            }
            let sum = scene.places.keys.reduce(0) { $0 + many.rate($1, over: 100 * millisecond) }
            #expect(near(sum, 500e6, within: 0.003))
        }
    }

    /// Shares and priorities are the same on a machine that has run for two weeks, a year or ten years.
    @Test(arguments: [14, 366, 3_653] as [UInt64]) func longUptimesChangeNothing(days: UInt64) {
        for scene in Self.scenes(2) where ["two floors", "priorities"].contains(scene.name) {
            func rates(_ now: Nanoseconds) -> [Double] {
                let cluster = Cluster(2, root: scene.root, now: now)
                for one in scene.classes { cluster.add(one.id, under: one.parent, one.parameters) }
                for (leaf, places) in scene.places { for place in places { cluster.instances[place].greedy[leaf] = 1_514 } }
                cluster.run(for: 100 * millisecond)
                cluster.forget()
                cluster.run(for: 200 * millisecond)
                return scene.places.keys.sorted().map { cluster.rate($0, over: 200 * millisecond) }
            }
            for (old, young) in zip(rates(days * 86_400 * second), rates(Cluster.start)) {
                #expect(near(old, young, within: 0.01), "\(scene.name): \(Int(old / 1e3)) kbit/s instead of \(Int(young / 1e3))")
            }
        }
    }
}
