import Configuration
import Foundation
import Libvirt
import Packet
import Testing

@Suite struct MetadataTests {
    private static let mac = "52:54:00:00:00:01"

    private static func xml(_ metadata: String, _ inner: String = "") -> String { domainXML(interfaceXML(mac, "/run/1.sock", inner), metadata: metadata) }

    @Test func theKeysOfPortsGuestsAndClassesAreThere() throws {
        let metadata = """
            <sluice:domain xmlns:sluice='urn:sluice:libvirt:1'>
              <sluice:interface mac='\(Self.mac)' name='front' bridge='br0' group='tenant-a' macs='52:54:00:00:01:01, 52:54:00:00:01:02' spoof-check='on' mtu='9000'
                  addresses='10.0.0.5,2001:db8::5' storm-broadcast='1kpps' forward='vepa' cpus='1,2'>
                <sluice:inbound floor='500mbit' ceiling='2gbit' priority='1' queue='codel' codel-target='2ms'/>
                <sluice:outbound floor='100mbit' burst='64kib'/>
                <sluice:protocol name='iscsi'><sluice:inbound floor='200mbit' ceiling='1gbit'/><sluice:outbound floor='50mbit'/></sluice:protocol>
                <protocol name='backup'/>
                <vlan trunk='10,20-29' native='1'/>
                <pace average='1gbit' peak='2gbit'/>
              </sluice:interface>
            </sluice:domain>
            """
        let part = try configuration(Self.xml(metadata)).part
        let port = part.ports[0], guest = part.guests[0]
        #expect(port.name == "front" && port.spoofCheck && port.mtu == 9_000 && port.addresses.count == 2 && port.rules.stormBroadcast == .packets(1_000))
        #expect(port.rules.forward == .vepa && port.cpus == [1, 2] && port.vlan == .trunk(VLANSet([10] + Array(20...29)), native: 1))
        #expect(port.pace == PaceSettings(average: 1_000_000_000, peak: 2_000_000_000))
        #expect(guest.name == "front" && guest.group == "tenant-a" && guest.macs.map(\.description) == [Self.mac, "52:54:00:00:01:01", "52:54:00:00:01:02"])
        #expect(guest.inbound.floor == 500_000_000 && guest.inbound.priority == 1 && guest.inbound.queue == .codel && guest.inbound.codelTarget == 2_000)
        #expect(guest.outbound.burst == 65_536)
        #expect(guest.protocols["iscsi"]?.inbound.ceiling == 1_000_000_000 && guest.protocols["iscsi"]?.outbound.floor == 50_000_000)
        #expect(guest.protocols["backup"] == ProtocolClasses())
        #expect(try host().replacing(nil, with: configuration(Self.xml(metadata))).guests == [guest])
    }

    /// People put only the outermost element into the namespace.
    @Test func elementsWithinNeedNoNamespace() throws {
        let part = try configuration(Self.xml(sluice("<interface mac='\(Self.mac)'><inbound floor='500mbit'/></interface>"))).part
        #expect(part.guests[0].inbound.floor == 500_000_000)
    }

    @Test func libvirtsLimitsAndThoseOfTheMetadataGoTogether() throws {
        let bandwidth = "<bandwidth><inbound average='125000' peak='250000'/><outbound average='1000' burst='64'/></bandwidth>"
        let part = try configuration(Self.xml(sluice("<interface><inbound floor='500mbit'/><pace average='16mbit'/></interface>"), bandwidth)).part
        #expect(part.guests[0].inbound.floor == 500_000_000 && part.guests[0].inbound.ceiling == 1_000_000_000 && part.guests[0].inbound.peak == 2_000_000_000)
        #expect(part.ports[0].pace == PaceSettings(average: 16_000_000, burst: 65_536))
        let none = try configuration(Self.xml(sluice("<interface pace='none'><inbound ceiling='none' peak='none'/></interface>"), bandwidth)).part
        #expect(none.guests[0].inbound == ClassSettings() && none.ports[0].pace == nil)
    }

    @Test func anInterfaceWithoutAddressStandsForTheOthers() throws {
        let xml = domainXML(
            interfaceXML("52:54:00:00:00:01", "/run/1.sock") + interfaceXML("52:54:00:00:00:02", "/run/2.sock")
                + interfaceXML("52:54:00:00:00:03", "/run/3.sock"),
            metadata: sluice("<interface isolated='on'/><interface mac='52:54:00:00:00:02' hairpin='on'/><interface mac='52:54:00:00:00:09'/>"))
        let result = try configuration(xml)
        #expect(result.part.ports.map(\.rules.isolated) == [true, false, true] && result.part.ports.map(\.rules.hairpin) == [false, true, false])
        #expect(
            result.notes.map(\.description) == [
                "line 6: metadata interface 52:54:00:00:00:09: no interface of type vhostuser has this address: it waits for one"
            ])
    }

    /// The sentences are the same as for a configuration file. `isSeenBySchema` says whether the schema refuses the metadata as well.
    static let refusals: [(metadata: String, sentence: String, isSeenBySchema: Bool)] = [
        (
            "<interface><inbound floor='500'/></interface>", "line 6: metadata interface 52:54:00:00:00:01.inbound.floor: rate 500 has no unit: write 500mbit",
            true
        ),
        ("<interface><inbound flor='500mbit'/></interface>", "inbound has no key 'flor': did you mean 'floor'?", true),
        ("<interface><inbound priority='8'/></interface>", "'8' is not a whole number from 0 to 7", true),
        ("<interface flor='1'/>", "metadata interface.flor: an interface has no key 'flor'", true),
        ("<interface><isolated/></interface>", "'isolated' takes one value: write isolated='...' in <interface>", true),
        ("<interface isolated='perhaps'/>", "'perhaps' is neither true nor false", true),
        ("<interface forward='nowhere'/>", "'nowhere' is not bridge or vepa or private or passthru", true),
        ("<interface vlan='4095'/>", "'4095' is not a whole number from 1 to 4094", true),
        ("<interface><vlan native='1'/></interface>", "a port has one VLAN, a trunk's or a service VLAN", true),
        ("<interface><vlan trunk='10,x'/></interface>", "'x' is no VLAN", true),
        ("<interface mac='x'/>", "'x' is not a MAC address", true),
        ("<interface macs='52:54:00:00:00:02,y'/>", "interface 52:54:00:00:00:01.macs[2]: 'y' is not a MAC address", true),
        ("<interface socket='/x'/>", "metadata interface.socket: that is said by the <interface> of the domain itself", true),
        ("<interface queues='2'/>", "that is said by the <interface> of the domain itself", true),
        ("<interface interface='tap0'/>", "an interface has no key 'interface'", true),
        ("<interface><inbound floor='1mbit'/><inbound floor='2mbit'/></interface>", "'inbound' stands twice", true),
        ("<interface><inbound>500mbit</inbound></interface>", "'500mbit' stands between the tags of <inbound>", true),
        ("<interface><x:inbound xmlns:x='urn:x'/></interface>", "<inbound> is of the namespace urn:x", true),
        ("<interface><protocol><inbound floor='1mbit'/></protocol></interface>", "a <protocol> needs the name of one", true),
        ("<interface><protocol name='iscsi'/><protocol name='iscsi'/></interface>", "protocols.iscsi: it stands twice", false),
        ("<interface><protocol name='iscsi'><floor/></protocol></interface>", "a protocol of a guest has no key 'floor'", true),
        ("<interface/><interface/>", "an interface without mac stands twice", false),
        ("<interface mac='52:54:00:00:00:01'/><interface mac='52:54:00:00:00:01'/>", "the interface 52:54:00:00:00:01 stands twice", false),
        ("<interface name='a'/>", "a name is one interface's", false),
        ("<guest/>", "<guest> does not belong into <domain>", true),
        ("text", "'text' stands between the tags of <domain>", true),
    ]

    @Test(arguments: refusals.indices) func whatIsWrongIsASentence(_ place: Int) throws {
        let (metadata, sentence, isSeen) = Self.refusals[place]
        let told = refusal(Self.xml(sluice(metadata)))
        #expect(told.contains(sentence), "\(told)")
        if let isValid = try Self.isValid([sluice(metadata)]) { #expect(isValid == [!isSeen], "\(metadata)") }
    }

    @Test func theElementIsTheOnlyOne() {
        #expect(refusal(Self.xml(sluice("") + sluice(""))).contains("two elements of urn:sluice:libvirt:1 stand here"))
        #expect(refusal(Self.xml("<s:port xmlns:s='urn:sluice:libvirt:1'/>")).contains("<port> is not Sluice's: write <domain>"))
        #expect(refusal(Self.xml("<s:domain xmlns:s='urn:sluice:libvirt:1' bridge='br0'/>")).contains("'bridge' does not belong to <domain>"))
    }

    /// Floors that do not fit into the whole model are refused.
    @Test func floorsAreAdmittedByTheModel() throws {
        let model = try host()
        func refusal(_ metadata: String) -> String {
            do {
                _ = try model.replacing(nil, with: try configuration(Self.xml(sluice(metadata))))
                return "accepted"
            } catch {
                return "\(error)"
            }
        }
        #expect(refusal("<interface><inbound floor='10gbit'/></interface>") == "accepted")
        #expect(refusal("<interface><inbound floor='10001mbit'/></interface>").contains("10.001gbit"))
        #expect(refusal("<interface group='tenant-a'><inbound floor='2001mbit'/></interface>").contains("2.001gbit"))
        #expect(
            refusal("<interface><inbound floor='2gbit' ceiling='1gbit'/></interface>")
                == "guest vm1-000001 inbound.ceiling: the ceiling 1gbit is below the floor 2gbit: write at least 2gbit")
        #expect(refusal("<interface group='tenant-b'/>").contains("there is no group tenant-b: did you mean tenant-a?"))
        #expect(refusal("<interface><protocol name='iscsy'/></interface>").contains("there is no protocol iscsy: did you mean iscsi?"))
        #expect(refusal("<interface bridge='br9'/>").contains("there is no bridge br9"))
    }

    // MARK: The schema

    private static let valid = [
        "", "<interface/>", "<interface mac='52:54:00:00:00:01' bridge='br0' name='a' portgroup='gold'/>",
        "<interface group='tenant-a' spoof-check='on' mtu='9000' addresses='10.0.0.5, 2001:db8::5/64' cpus='1,2' fdb-limit='none'/>",
        "<interface><inbound floor='500mbit' ceiling='1.5GBit' burst='64kib' priority='1' queue='fq-codel' codel-target='5ms' limit-bytes='1mib'/></interface>",
        "<interface><outbound floor='none'/><protocol name='iscsi'><inbound floor='1mbit'/><outbound/></protocol><protocol name='backup'/></interface>",
        "<interface vlan='10'/>", "<interface><vlan trunk='10, 20-29' native='1'/></interface>", "<interface><vlan service='100'/></interface>",
        "<interface vlan='none'/>",
        "<interface pace='none' storm-unknown='10mbit' storm-multicast='5kpps'><filter inbound='no-smtp'/></interface>",
        "<interface><pace average='1gbit' peak='2gbit' burst='1mib'/></interface>",
    ]

    @Test func whatIsValidIsRead() throws {
        for metadata in Self.valid {
            let told = refusal(Self.xml(sluice(metadata)))
            #expect(told == "accepted", "\(metadata): \(told)")
        }
        let isValid = try Self.isValid(Self.valid.map(sluice))
        if let isValid { #expect(isValid == Self.valid.map { _ in true }) }
        if ProcessInfo.processInfo.environment["CI"] != nil { #expect(isValid != nil, "xmllint is missing: install libxml2-utils") }
    }

    /// Whether documents are valid by the schema, according to xmllint; nil if xmllint is not installed.
    private static func isValid(_ documents: [String]) throws -> [Bool]? {
        guard let xmllint = ["/usr/bin/xmllint", "/usr/local/bin/xmllint"].first(where: FileManager.default.isExecutableFile) else { return nil }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let schema = folder.appendingPathComponent("schema.rng")
        try LibvirtDomain.metadataSchema.write(to: schema, atomically: true, encoding: .utf8)
        return try documents.enumerated().map { number, document in
            let file = folder.appendingPathComponent("\(number).xml")
            try document.write(to: file, atomically: true, encoding: .utf8)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: xmllint)
            process.arguments = ["--nonet", "--noout", "--relaxng", schema.path, file.path]
            let output = Pipe()
            process.standardError = output
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            // xmllint's exit status 3 or 4 says that a document is not valid; any other says that the schema itself is wrong.
            #expect([0, 3, 4].contains(process.terminationStatus), "\(text)")
            return process.terminationStatus == 0
        }
    }
}
