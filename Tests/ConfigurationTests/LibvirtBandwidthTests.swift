import Configuration
import Testing

/// The values come from libvirt's own test cases (tests/virnetdevbandwidthtest.c and its network XML).
@Suite struct LibvirtBandwidthTests {
    typealias Limits = LibvirtBandwidth.Limits

    @Test func anAverageBoundsTheClass() throws {
        let settings = try LibvirtBandwidth(inbound: Limits(average: 1_024)).inboundClass(in: nil)
        #expect(settings.ceiling == 8_192_000)
        #expect(settings.floor == nil && settings.peak == nil && settings.ceilingBurst == nil)
    }

    @Test func everyAttributeHasItsPlace() throws {
        // The attributes have different values, so that each must be found in its own place.
        let network = try LibvirtNetwork(LibvirtBandwidth(inbound: Limits(average: 1_000, peak: 2_000, burst: 1_024)))
        let bandwidth = LibvirtBandwidth(inbound: Limits(average: 1, peak: 2, floor: 3, burst: 4), outbound: Limits(average: 5, peak: 6, burst: 7))
        let settings = try bandwidth.inboundClass(in: network)
        #expect(settings.ceiling == 8_000 && settings.peak == 16_000 && settings.ceilingBurst == 4_096 && settings.floor == 24_000)
        let pace = try bandwidth.outboundPace()
        #expect(pace == PaceSettings(average: 40_000, peak: nil, burst: 7_168))
    }

    @Test func attributesAreReadAsWholeNumbers() throws {
        let attributes = ["average": "1", "peak": "2", "floor": "3", "burst": "4"]
        #expect(try LibvirtBandwidth.limits("inbound", attributes: attributes) == Limits(average: 1, peak: 2, floor: 3, burst: 4))
        #expect(try LibvirtBandwidth.limits("outbound", attributes: [:]) == Limits())
    }

    @Test func theLargestOfLibvirtsValuesFits() throws {
        let bandwidth = LibvirtBandwidth(inbound: Limits(average: 4_294_967_295), outbound: Limits(average: 4_294_967_295))
        #expect(try bandwidth.inboundClass(in: nil).ceiling == 34_359_738_360_000)
        #expect(try bandwidth.outboundPace()?.burst == 512 << 20)
    }

    @Test func anEmptyElementMeansNothing() throws {
        #expect(try LibvirtBandwidth().inboundClass(in: nil) == ClassSettings())
        #expect(try LibvirtBandwidth().outboundPace() == nil)
    }

    @Test func floorsAreTakenFromTheNetwork() throws {
        var network = try LibvirtNetwork(LibvirtBandwidth(inbound: Limits(average: 1_000, peak: 2_000, burst: 1_024), outbound: Limits(average: 2_000)))
        #expect(network.whole.floor == 8_000_000 && network.whole.ceiling == 16_000_000 && network.whole.burst == 1_048_576)
        #expect(network.rest.floor == 16_000_000)
        #expect(try network.plug(floor: 200) == 3)
        #expect(try network.plug(floor: 800) == 4)
        #expect(network.rest.floor == 8_000_000)
        network.unplug(3)
        #expect(try network.plug(floor: 100) == 3)
        try network.change(4, floor: 1_900)
        #expect(network.rest.floor == nil)
        let settings = try LibvirtBandwidth(inbound: Limits(floor: 200)).inboundClass(in: network)
        #expect(settings.floor == 1_600_000 && settings.ceiling == 16_000_000)
    }

    @Test func aStateFilesClassIDsAreKept() throws {
        var network = try LibvirtNetwork(LibvirtBandwidth(inbound: Limits(average: 1_000, peak: 2_000)), floors: [1_729: 1_000])
        #expect(try network.plug(floor: 1_000) == 3)
        #expect(throws: LibvirtBandwidthError.self) { try network.plug(floor: 1) }
    }

    @Test func overcommitmentIsRefusedWithTheArithmetic() throws {
        var network = try LibvirtNetwork(LibvirtBandwidth(inbound: Limits(average: 1_000)))
        let id = try network.plug(floor: 900)
        do {
            _ = try network.plug(floor: 200)
            Issue.record("accepted")
        } catch {
            #expect(error.description == "floors of 1100 in all exceed the network's inbound average of 1000: lower a floor by 100 or raise the average")
        }
        #expect(throws: LibvirtBandwidthError.self) { try network.change(id, floor: 1_001) }
        #expect(network.floors == [id: 900])
    }

    @Test func whatLibvirtRefusesIsRefused() {
        func refused(_ inbound: Limits? = nil, _ outbound: Limits? = nil, _ owner: LibvirtBandwidth.Owner = .interface) -> Bool {
            do { try LibvirtBandwidth(inbound: inbound, outbound: outbound).check(owner); return false } catch { return true }
        }
        #expect(refused(Limits()))
        #expect(refused(Limits(peak: 5)))
        #expect(refused(Limits(burst: 5)))
        #expect(refused(Limits(peak: 5, floor: 5)))
        #expect(refused(Limits(average: 0)))
        #expect(refused(nil, Limits()))
        #expect(refused(nil, Limits(peak: 5)))
        #expect(refused(nil, Limits(burst: 5)))
        #expect(refused(nil, Limits(floor: 1)))
        #expect(refused(nil, Limits(average: 5, floor: 1)))
        #expect(refused(Limits(average: 5, floor: 1), nil, .portgroup))
        #expect(refused(Limits(average: 5, floor: 1), nil, .network))
        #expect(!refused(Limits(average: 5), Limits(average: 5, peak: 6, burst: 7), .portgroup))
        #expect(!refused(Limits(floor: 1)))
        #expect(!refused(Limits(average: 5, floor: 1)))
        #expect(throws: LibvirtBandwidthError.self) { try LibvirtBandwidth(inbound: Limits(floor: 5)).inboundClass(in: nil) }
        #expect(throws: LibvirtBandwidthError.self) { try LibvirtNetwork(LibvirtBandwidth(outbound: Limits(average: 5))) }
        for text in ["", "-1", "1.5", "1k", "0x10", "99999999999999999999"] {
            #expect(throws: LibvirtBandwidthError.self) { try LibvirtBandwidth.limits("inbound", attributes: ["average": text]) }
        }
    }
}
