import Bridge
import DCB
import DataPlane
import Packet
import TestSupport
import Testing

/// Admission handles consecutive frames that look alike together; each must be treated as if it had come alone.
@Suite("Admission of mixed bursts") struct AdmissionTests {
    @Test(arguments: [(1, true, 1_514), (2, false, 1_514), (3, true, 100), (4, false, 590), (5, true, 590)] as [(UInt64, Bool, UInt32)])
    func framesFareAsIfAlone(seed: UInt64, isPhysical: Bool, fitsAll: UInt32) {
        fareAsIfAlone(seed, isPhysical, fitsAll, nil)
    }

    @Test("Frames on ports with VLANs fare as if each had come alone, in the VLAN that it belongs to", arguments: [1, 2, 3, 4, 5] as [UInt64])
    func framesInVLANs(seed: UInt64) {
        let vlans = [
            PortVLANs(members: VLANSet([10]), untagged: VLANSet([10]), native: 10),
            PortVLANs(members: VLANSet(1...4_094), untagged: VLANSet([1]), native: 1),
            PortVLANs(members: VLANSet(1...4_094), untagged: VLANSet(), native: nil, services: VLANSet(1...2_000)),
            PortVLANs(members: VLANSet([77]), untagged: VLANSet([77]), native: 77, takesAll: true, services: VLANSet([77])),
            PortVLANs(members: VLANSet(1...2_000), untagged: VLANSet(), native: 1, services: VLANSet(1_000...1_500)),
        ][Int(seed) - 1]
        fareAsIfAlone(seed, seed % 2 == 0, 1_514, vlans)
        vlans.destroy()
    }

    @Test("Frames on ports that are trusted take the row of what they say, each as if it had come alone", arguments: [1, 2, 3, 4] as [UInt64])
    func framesThatSayTheirPriority(seed: UInt64) {
        let vlans = seed == 3 ? PortVLANs(members: VLANSet(1...4_094), untagged: VLANSet([1]), native: 1) : nil
        fareAsIfAlone(seed, seed == 2, 1_514, vlans, Trust(byDSCP: seed % 2 == 0))
        vlans?.destroy()
    }

    @Test("What a trusted port's frames say comes before their protocol, unless that has the same priority; frames that say nothing have their protocol's")
    func trust() {
        let protocols = ProtocolTable.builtIn()
        defer { protocols.destroy() }
        let plain = MixedTraffic.udp(from: 1, to: 2, port: 4_791, size: 60), other = MixedTraffic.udp(from: 1, to: 2, port: 80, size: 60)
        func tagged(_ frame: [UInt8], _ tags: [UInt8]...) -> [UInt8] { Array(frame[..<12] + tags.joined() + frame[12...]) }
        func rows(_ trust: Trust, _ frames: [[UInt8]]) -> (rows: [UInt8], tags: [UInt8]) {
            let trial = AdmissionTrial(isPhysical: false, maxFrame: 1_514, fitsAll: 1_514, protocols: protocols)
            trial.configure(trust: trust.priorities, rows: Trust.rows, pcps: Trust.pcps, of: 0)
            let admitted = trial.receive(frames.map { ($0, $0.count) })
            return (admitted.map(\.record.protocolID), admitted.map(\.record.tagCount))
        }
        // RoCE has priority 3. Of two tags, the outer one counts. Priority tags come off.
        let byTag = rows(Trust(byDSCP: false), [
            plain, other, tagged(plain, [0x81, 0, 0x60, 9]), tagged(other, [0x81, 0, 0x60, 9]), tagged(plain, [0x81, 0, 0xa0, 9]), tagged(plain, [0x81, 0, 0, 9]),
            tagged(other, [0x81, 0, 0xe0, 0]), tagged(other, [0x88, 0xa8, 0xc0, 9], [0x81, 0, 0x20, 8]),
        ])
        #expect(byTag.rows == [5, 0, 5, 23, 25, 20, 27, 26] && byTag.tags == [0, 0, 1, 1, 1, 1, 0, 2])
        func marked(_ dscp: UInt8) -> [UInt8] { Array(other[..<15] + [dscp << 2 | 1] + other[16...]) }
        #expect(rows(Trust(byDSCP: true), [marked(46), marked(0), marked(26), marked(8), tagged(marked(46), [0x81, 0, 0x20, 9])]).rows == [26, 0, 24, 21, 26])
    }

    /// How trusted frames are treated in these tests.
    private struct Trust {
        var byDSCP: Bool
        var priorities: [UInt8] { byDSCP ? DifferentiatedServices.priorities : [] }
        /// The row of each priority, and the priority of each row: those of the protocols, and of two rows of the tests.
        static let rows = (20..<28).map { UInt8($0) }
        static let pcps = (0..<64).map { row -> UInt8 in
            switch row {
            case 9: 1
            case 10: 5
            case 20..<28: UInt8(row - 20)
            default: KnownProtocol.all.first { $0.row == row }?.pcp ?? 0
            }
        }

        func row(_ record: FrameRecord) -> UInt8 {
            let priority: UInt8
            if byDSCP {
                if record.dscp == FrameRecord.noDSCP { return record.protocolID }
                priority = priorities[Int(record.dscp)]
            } else {
                if record.pcp == FrameRecord.noPCP { return record.protocolID }
                priority = record.pcp
            }
            return Self.pcps[Int(record.protocolID)] == priority ? record.protocolID : Self.rows[Int(priority)]
        }
    }

    private func fareAsIfAlone(_ seed: UInt64, _ isPhysical: Bool, _ fitsAll: UInt32, _ vlans: PortVLANs?, _ trust: Trust? = nil) {
        var random = Seeded(seed)
        let protocols = ProtocolTable.builtIn()
        defer { protocols.destroy() }
        protocols.set(.dscp(10), row: 9)
        protocols.set(.pcp(5), row: 10)
        let trial = AdmissionTrial(isPhysical: isPhysical, maxFrame: 1_514, fitsAll: fitsAll, protocols: protocols)
        if let vlans { trial.configure(vlans: vlans, of: 0) }
        if let trust { trial.configure(trust: trust.priorities, rows: Trust.rows, pcps: Trust.pcps, of: 0) }
        var counts = Array(repeating: (frames: UInt64(0), bytes: UInt64(0)), count: 64)
        var shared = 0, refused: UInt64 = 0
        for round in 0..<2_000 {
            let frames = MixedTraffic.burst(&random)
            let expected = frames.map { FrameAlone($0.bytes, contiguous: $0.contiguous, isPhysical: isPhysical, maxFrame: 1_514, protocols, vlans, trust: trust?.row) }
            let admitted = trial.receive(frames)
            guard admitted.map(\.number) == expected.indices.filter({ expected[$0].isAdmitted }) else {
                Issue.record("seed \(seed), round \(round): other frames stay of \(frames)")
                return
            }
            for frame in admitted {
                let own = expected[frame.number]
                let lengthsAgree = frame.record.length == own.record.length || max(frame.record.length, own.record.length) <= fitsAll
                if frame.bytes != own.bytes || !lengthsAgree || !own.isDecided(as: frame.record) {
                    Issue.record("seed \(seed), round \(round), frame \(frame.number): \(frame)\n\(own)\n\(frames)")
                    return
                }
                counts[Int(frame.record.protocolID)].frames += 1
                counts[Int(frame.record.protocolID)].bytes += UInt64(frames[frame.number].bytes.count)
            }
            shared += admitted.count - Set(admitted.map(\.run)).count
            refused += UInt64(frames.count - admitted.count)
            #expect(trial.drops.reduce(0, +) == refused)
        }
        #expect(trial.protocolCounts.elementsEqual(counts) { $0 == $1 })
        // Both cases must occur often enough. If the port refuses frames without a tag, few frames are left to share a run.
        #expect(shared > (vlans?.native == 0 ? 0 : 2_000))
        #expect(refused > 1_000)
    }

    @Test("Frames between guests of which none is in two frames need one parse; the record of each is its own")
    func noTwoFramesShareAGuest() {
        let protocols = ProtocolTable.builtIn()
        defer { protocols.destroy() }
        let trial = AdmissionTrial(isPhysical: false, maxFrame: 1_514, fitsAll: 1_514, protocols: protocols)
        let frames = (0..<32).map { MixedTraffic.udp(from: UInt8($0), to: UInt8(100 + $0), port: $0 % 2 == 0 ? 4_791 : 80, size: 60 + $0) }
        let admitted = trial.receive(frames.map { ($0, $0.count) })
        #expect(admitted.map(\.run) == Array(0..<32))
        for (number, frame) in admitted.enumerated() {
            let own = FrameAlone(frames[number], contiguous: frames[number].count, isPhysical: false, maxFrame: 1_514, protocols)
            #expect(own.isDecided(as: frame.record) && frame.record.length == own.record.length && frame.record.destinationPort == own.record.destinationPort)
        }
    }

    @Test("Frames of many VLANs that a port lets in need one parse between them, and each is in its own", arguments: [true, false])
    func noTwoFramesShareAVLAN(hasVLANs: Bool) {
        let protocols = ProtocolTable.builtIn()
        defer { protocols.destroy() }
        let trial = AdmissionTrial(isPhysical: false, maxFrame: 1_514, fitsAll: 1_514, protocols: protocols)
        let vlans = PortVLANs(members: VLANSet(2...20), untagged: VLANSet(), native: nil)
        defer { vlans.destroy() }
        if hasVLANs { trial.configure(vlans: vlans, of: 0) }
        let plain = MixedTraffic.udp(from: 1, to: 2, port: 80, size: 60)
        let frames = (1...30).map { Array(plain[..<12] + [0x81, 0x00, 0x60, UInt8($0)] + plain[12...]) }
        let admitted = trial.receive(frames.map { ($0, $0.count) })
        #expect(admitted.map(\.number) == (hasVLANs ? Array(1..<20) : Array(0..<30)))
        for frame in admitted {
            let own = FrameAlone(frames[frame.number], contiguous: 64, isPhysical: false, maxFrame: 1_514, protocols, hasVLANs ? vlans : nil)
            #expect(own.isDecided(as: frame.record) && frame.bytes == frames[frame.number])
        }
    }

    @Test("Frames to a group are one run where they follow one another with one length, and never one with others")
    func framesToAGroupShareARun() {
        let protocols = ProtocolTable.builtIn()
        defer { protocols.destroy() }
        let trial = AdmissionTrial(isPhysical: false, maxFrame: 1_514, fitsAll: 1_514, protocols: protocols)
        var toGroup = MixedTraffic.udp(from: 1, to: 2, port: 80, size: 60), toStation = toGroup
        toGroup[0] |= 1
        toStation[0] &= ~1
        let admitted = trial.receive([toGroup, toGroup, toGroup, toStation, toStation, toGroup].map { ($0, $0.count) })
        #expect(admitted.map(\.run) == [0, 0, 0, 1, 1, 2])
        #expect(admitted.map { $0.record.flags.has(.multicast) } == [true, true, true, false, false, true])
        #expect(trial.protocolCounts[0] == (6, 360))
    }

    @Test("A frame to a group whose tag came off tells nothing of one that came without")
    func framesToAGroupWithoutTheirTag() {
        let protocols = ProtocolTable.builtIn()
        defer { protocols.destroy() }
        let trial = AdmissionTrial(isPhysical: true, maxFrame: 1_514, fitsAll: 1_514, protocols: protocols)
        var udp = MixedTraffic.udp(from: 1, to: 2, port: 80, size: 60)
        udp[0] |= 1
        var tcp = udp
        tcp[23] = 6
        let admitted = trial.receive([udp[..<12] + [0x81, 0x00, 0x60, 0x00] + udp[12...], tcp[...]].map { (Array($0), $0.count) })
        #expect(admitted.map(\.run) == [0, 1])
        #expect(admitted.map(\.record.ipProtocol) == [17, 6])
    }

    @Test("Frames of one flow are one run whatever their lengths, as long as all ports take them")
    func lengthsDoNotEndARun() {
        let protocols = ProtocolTable.builtIn()
        defer { protocols.destroy() }
        let frames = [60, 590, 1_514, 60, 1_514].map { MixedTraffic.udp(from: 1, to: 2, port: 80, size: $0) }
        func runs(fitsAll: UInt32) -> [Int] {
            let trial = AdmissionTrial(isPhysical: false, maxFrame: 1_514, fitsAll: fitsAll, protocols: protocols)
            return trial.receive(frames.map { ($0, $0.count) }).map(\.run)
        }
        #expect(runs(fitsAll: 1_514) == [0, 0, 0, 0, 0])
        #expect(runs(fitsAll: 600) == [0, 0, 1, 2, 3])
    }
}

/// What admission does with a frame that is parsed by itself.
private struct FrameAlone {
    var record = FrameRecord()
    var isAdmitted = false
    /// The bytes of the frame when it leaves admission.
    var bytes: [UInt8]

    init(_ frame: [UInt8], contiguous: Int, isPhysical: Bool, maxFrame: UInt32, _ protocols: ProtocolTable, _ vlans: PortVLANs? = nil, trust: ((FrameRecord) -> UInt8)? = nil) {
        var changed = frame, stripped = 0
        var record = FrameRecord(), isAdmitted = false
        changed.withUnsafeMutableBytes { bytes in
            parse(UnsafeRawPointer(bytes.baseAddress!), contiguous: contiguous, length: UInt32(bytes.count), into: &record)
            record.protocolID = protocols.identify(&record)
            if let trust { record.protocolID = trust(record) }
            let verdict = BridgeRules.verdict(&record)
            isAdmitted = record.length <= maxFrame + 4 * UInt32(record.tagCount) && (verdict == .unicast || verdict == .flood)
            let ingress = isAdmitted ? vlans?.ingress(bytes.baseAddress!, &record) : nil
            if let ingress {
                isAdmitted = ingress.vlan != 0
                if ingress.carriesTag { record.flags.mark(.vlanTag) }
                record.destination |= UInt64(ingress.vlan) << 48
                record.source |= UInt64(ingress.vlan) << 48
            }
            if isAdmitted, ingress?.strips ?? ((isPhysical || trust != nil) && TagEditing.isPriorityTagged(&record)) {
                TagEditing.stripPriorityTag(bytes.baseAddress!, &record)
                stripped = 4
            }
        }
        (self.record, self.isAdmitted, bytes) = (record, isAdmitted, Array(changed.dropFirst(stripped)))
    }

    /// Whether the records agree in everything that later stages read, except for the length.
    func isDecided(as run: FrameRecord) -> Bool {
        run.destination == record.destination && run.source == record.source && run.etherType == record.etherType && run.tci == record.tci
            && run.tagCount == record.tagCount && run.flags == record.flags && run.l3Offset == record.l3Offset && run.l4Offset == record.l4Offset
            && run.ipProtocol == record.ipProtocol && run.dscp == record.dscp && run.pcp == record.pcp
            // The protocol of a fragment is that of its datagram; `FragmentTableTests` covers it.
            && (run.protocolID == record.protocolID || run.flags.has(.fragment))
    }
}
