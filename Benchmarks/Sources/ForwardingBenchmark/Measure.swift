import ArgumentParser
import DataPlane
import Foundation
import Measuring

/// Measures once, in this process.
struct Measure: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Measure once, in this process.")

    @Option(help: "CPUs of the poll loops, such as 1 or 0,1.")
    var cpus: String
    @Option(help: "Length of the measurement, seconds.")
    var seconds = 1.0
    @Flag(name: .customShort("j"), help: "Print JSON.")
    var json = false
    @OptionGroup var load: Load

    func run() throws {
        let bed = try Bed(load, cpus: try cpuList(cpus))
        defer { bed.plane.close() }
        // By then, addresses have been learned and buckets have been used up.
        Thread.sleep(forTimeInterval: 0.2)
        let result = try MeasurementResult(of: bed, seconds: seconds)
        if json {
            print(String(decoding: try JSONEncoder().encode(result), as: UTF8.self))
        } else {
            for loop in result.loops { print(loop.line) }
        }
    }
}

func cpuList(_ text: String) throws -> [Int] {
    let cpus = text.split(separator: ",").compactMap { Int($0) }
    guard !cpus.isEmpty, cpus.count == text.split(separator: ",").count else { throw ValidationError("--cpus takes numbers, such as 1 or 0,1") }
    return cpus
}

/// The poll loops' own counters at one time.
private struct Reading {
    let seconds: Double
    let loops: [DataPlane.CoreReport]
    /// The number of frames that the ports sent; the loops also count a frame when they receive it.
    let sent: UInt64

    init(_ plane: DataPlane) {
        loops = plane.coreReports()
        sent = plane.totals().delivered.frames
        seconds = Double(DispatchTime.now().uptimeNanoseconds) / 1e9
    }
}

struct MeasurementResult: Codable {
    struct Loop: Codable {
        var cpu: Int
        /// The number of frames received, and sent again, per second.
        var framesPerSecond: Double
        /// Time-stamp counter cycles per frame, in turns that found work.
        var cyclesPerFrame: Double
        /// The share of time spent in turns that found no frame.
        var idle: Double
        var framesPerTurn: Double
        /// The share of time in which the loop was ready to run but did not.
        var disturbed: Double

        var line: String {
            String(
                format: "CPU %d: %6.2f Mpps, %5.1f cycles a frame, %4.1f frames a turn, idle %.1f %%", cpu, framesPerSecond / 1e6, cyclesPerFrame,
                framesPerTurn, idle * 100)
        }
    }
    var loops: [Loop]

    var turn: Turn { Turn(loops.map { ($0.framesPerSecond, $0.disturbed) }) }
    var cyclesPerFrame: Double { loops.map(\.cyclesPerFrame).reduce(0, +) / Double(max(1, loops.count)) }
}

extension MeasurementResult {
    /// Measures for this many seconds from now.
    /// - Throws: if a frame was lost, because then fewer frames circulate.
    init(of bed: Bed, seconds: Double) throws {
        let before = Reading(bed.plane)
        Thread.sleep(forTimeInterval: seconds)
        self.init(before, Reading(bed.plane), cyclesPerSecond: bed.plane.cyclesPerSecond)
        try bed.check()
    }

    private init(_ before: Reading, _ after: Reading, cyclesPerSecond: UInt64) {
        let seconds = after.seconds - before.seconds
        let handled = zip(before.loops, after.loops).reduce(0.0) { $0 + Double($1.1.frames - $1.0.frames) }
        // The loops count a frame when they receive it and when they send it; this is the share of sent frames in what they count.
        let part = handled == 0 ? 0 : Double(after.sent - before.sent) / handled
        loops = zip(before.loops, after.loops).map { old, new in
            let frames = max(Double(new.frames - old.frames) * part, 1)
            let busy = Double(new.busyCycles - old.busyCycles), idle = Double(new.idleCycles - old.idleCycles)
            let turns = max(Double(new.turns - old.turns) - Double(new.idleTurns - old.idleTurns), 1)
            let stalled = Double(new.stalledCycles - old.stalledCycles) / Double(cyclesPerSecond)
            let waited = Double((new.waitedNanoseconds ?? 0) - min(new.waitedNanoseconds ?? 0, old.waitedNanoseconds ?? 0)) / 1e9
            return Loop(
                cpu: new.cpu, framesPerSecond: frames / seconds, cyclesPerFrame: busy / frames, idle: idle / max(busy + idle, 1), framesPerTurn: frames / turns,
                disturbed: max(stalled, waited) / seconds)
        }
    }
}
