import Foundation
import Measuring

/// The turns in which several poll loops are compared with one, and in which it is measured what the machine does to any two threads.
struct ScalingSets {
    /// The numbers of loops: 1, 2, 4 and so on, and the greatest number.
    let sizes: [Int]
    /// The turns for each number of loops; for one loop, the mean over all CPUs.
    var loops: [TurnSeries]
    var cycles: [[Double]]
    private(set) var sets = 0
    /// The number of turns that were repeated.
    private(set) var repeats = 0
    /// Processes with one loop each, one on each CPU, all at the same time. This differs from `loops` in that the loops share no process.
    var processes = TurnSeries()
    /// The loop on the last CPU alone, and next to a thread on the CPU before it.
    var last = TurnSeries(), besideRegisters = TurnSeries(), besideMemory = TurnSeries()
    /// Threads that compute in registers only: a single one (the mean over all CPUs), and one on each CPU at the same time.
    var spinner = TurnSeries(), spinners = TurnSeries()

    /// A turn in which a thread did not run for more than `mostDisturbed` of the time is repeated, up to twice, and the least disturbed one is kept. Measured
    /// by the clock, a turn counts only if it was not disturbed for more than that; per running time, up to `mostForRunningTime`.
    static let mostDisturbed = 0.02, mostForRunningTime = 0.1
    /// The bytes that the neighbour which works in memory uses: more than a second-level cache holds.
    static let neighbourMemory = 8 << 20

    private let seconds: Double
    private let alone: [Player]
    private let together: [Player]
    private let spinning: [Player]
    private let registers: [Player]
    private let memory: [Player]

    /// The numbers 1, 2, 4 and so on, and the greatest one.
    static func sizes(_ most: Int) -> [Int] { Array(sequence(first: 1) { $0 * 2 }.prefix { $0 < most }) + [most] }

    init(_ load: Load, cpus: [Int], seconds: Double) throws {
        self.seconds = seconds
        sizes = Self.sizes(cpus.count)
        loops = .init(repeating: TurnSeries(), count: sizes.count)
        cycles = .init(repeating: [], count: sizes.count)
        alone = try cpus.map { try .loops([$0], load) }
        together = try sizes.dropFirst().map { try .loops(Array(cpus.suffix($0)), load) }
        spinning = try cpus.map { try .spinner($0) }
        registers = Array(spinning.dropLast().suffix(1))
        memory = try cpus.dropLast().suffix(1).map { try .spinner($0, memory: Self.neighbourMemory) }
    }

    func end() { for player in alone + together + spinning + memory { player.end() } }

    /// Plays this many sets, or fewer if the time is up.
    mutating func play(_ sets: Int, until end: ContinuousClock.Instant) throws {
        for _ in 0..<sets where ContinuousClock.now < end {
            try playSet()
            self.sets += 1
        }
    }

    private mutating func playSet() throws {
        let seconds = seconds
        var again = 0
        func best<Value>(_ turn: (Value) -> Turn, _ measure: () throws -> Value) throws -> Value {
            let least = try LeastDisturbed(most: Self.mostDisturbed) {
                let value = try measure()
                return (value, turn(value).disturbed)
            }
            again += least.repeats
            return least.value
        }
        func forward(_ players: [Player], beside others: [Player] = []) throws -> (turn: Turn, cycles: Double) {
            try best({ $0.turn }) {
                let results = try players.turn(MeasurementResult.self, seconds, beside: others)
                return (turn: Turn.together(results.map(\.turn)), cycles: results.map(\.cyclesPerFrame).reduce(0, +) / Double(max(1, results.count)))
            }
        }
        func spin(_ players: [Player]) throws -> Turn { try best({ $0 }) { Turn.together(try players.turn(Turn.self, seconds)) } }
        let single = try alone.map { try forward([$0]) }
        loops[0].add(.mean(single.map { $0.turn }))
        for result in single.suffix(1) { last.add(result.turn) }
        cycles[0] += single.filter { $0.turn.disturbed <= Self.mostDisturbed }.map { $0.cycles }
        for (index, player) in together.enumerated() {
            let result = try forward([player])
            loops[index + 1].add(result.turn)
            if result.turn.disturbed <= Self.mostDisturbed { cycles[index + 1].append(result.cycles) }
        }
        if alone.count > 1 {
            processes.add(try forward(alone).turn)
            besideRegisters.add(try forward(alone.suffix(1), beside: registers).turn)
            besideMemory.add(try forward(alone.suffix(1), beside: memory).turn)
            spinner.add(.mean(try spinning.map { try spin([$0]) }))
            spinners.add(try spin(spinning))
        }
        repeats += again
    }
}
