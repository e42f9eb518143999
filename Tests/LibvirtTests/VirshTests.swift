import Configuration
import Foundation
import Libvirt
import Testing

/// Compares this with libvirt itself, with its test driver, which defines domains and networks but runs none.
@Suite struct VirshTests {
    /// Runs virsh commands in a new directory with these files and returns what virsh prints; nil if virsh is not installed.
    private func virsh(_ files: [String: String], _ commands: [String]) throws -> String? {
        guard let program = ["/usr/bin/virsh", "/usr/local/bin/virsh"].first(where: FileManager.default.isExecutableFile) else {
            if ProcessInfo.processInfo.environment["CI"] != nil { Issue.record("virsh is missing: install libvirt-clients") }
            return nil
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in files { try text.write(to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8) }
        let script = folder.appendingPathComponent("commands")
        try (commands.joined(separator: "\n") + "\n").write(to: script, atomically: true, encoding: .utf8)
        let process = Process(), output = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["-q", "-c", "test:///default"]
        process.currentDirectoryURL = folder
        process.environment = ["HOME": folder.path, "XDG_CACHE_HOME": folder.path, "LC_ALL": "C", "PATH": "/usr/bin:/bin"]
        process.standardInput = try FileHandle(forReadingFrom: script)
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text
    }

    /// The XML of a domain that the test driver accepts.
    private func domain(_ name: String, _ interfaces: String, metadata: String = "") -> String {
        "<domain type='test'><name>\(name)</name><memory>65536</memory><metadata>\(metadata)</metadata><os><type>hvm</type></os><devices>\(interfaces)</devices></domain>"
    }

    /// The elements with this tag and at least one attribute in a text, each as text of its own.
    private func part(_ text: String, _ tag: String) -> [String] {
        text.components(separatedBy: "<\(tag) ").dropFirst().map { "<\(tag) " + ($0.components(separatedBy: "</\(tag)>").first ?? "") + "</\(tag)>" }
    }

    @Test func whatVirshPrintsIsRead() throws {
        let written = domain(
            "vm1",
            interfaceXML(
                "52:54:00:00:00:01", "/run/sluice/a.sock",
                "<driver queues='2'/><mtu size='9000'/><bandwidth><inbound average='1000' peak='5000' burst='1024'/><outbound average='128' peak='256' burst='256'/></bandwidth><link state='down'/>"
            )
                + "<interface type='vhostuser'><source type='unix' path='/run/sluice/b.sock' mode='client'/><model type='virtio'/></interface>"
                + "<interface type='network'><source network='default'/></interface>",
            metadata: sluice("<interface mac='52:54:00:00:00:01'><inbound floor='1mbit'/></interface>"))
        let set =
            "metadata vm1 urn:sluice:libvirt:1 --key sluice --set \"<domain><interface mac='52:54:00:00:00:01'><inbound floor='2mbit'/></interface></domain>\" --live"
        guard
            let text = try virsh(
                ["vm1.xml": written], ["define vm1.xml", "dumpxml vm1", "start vm1", "dumpxml vm1", set, "dumpxml vm1", "net-dumpxml default"])
        else { return }
        let domains = part(text, "domain").filter { $0.contains("<devices>") }
        #expect(domains.count == 3, "\(text)")
        for (place, dump) in domains.enumerated() {
            let domain = try LibvirtDomain(xml: dump)
            #expect(domain.name == "vm1" && domain.interfaces.count == 2 && domain.others.map(\.type) == ["network"])
            let first = domain.interfaces[0]
            #expect(first.queues == 2 && first.mtu == 9_000 && !first.isLinkUp && first.mode == .server && first.bandwidth?.outbound?.peak == 256)
            #expect(domain.interfaces[1].mode == .client && domain.interfaces[1].socket == "/run/sluice/b.sock")
            let floor = try configuration(dump).part.guests[0].inbound.floor
            #expect(floor == (place == 2 ? 2_000_000 : 1_000_000), "dump \(place)")
        }
        let network = try LibvirtNetwork(
            xml: "<network>" + (text.components(separatedBy: "<network>").last ?? "").components(separatedBy: "</network>")[0] + "</network>")
        #expect(network.name == "default" && network.bridge == "virbr0" && network.inboundRate == nil)
    }

    /// libvirt accepts and refuses the same XML as this, except where the test marks this as stricter.
    @Test func libvirtRefusesTheSame() throws {
        let bandwidths = [
            "", "<inbound average='1024'/>", "<outbound average='1024'/>",
            "<inbound average='1' peak='2' burst='4'/><outbound average='5' peak='6' burst='7'/>",
            "<inbound average='4294967295'/><outbound average='4294967295'/>", "<inbound average='0'/>", "<inbound/>", "<inbound peak='5'/>",
            "<inbound burst='5'/>", "<inbound floor='5'/>",
            "<inbound average='5' floor='1'/>", "<inbound average='5' floor='0'/>", "<inbound floor='0'/>", "<outbound/>", "<outbound peak='5'/>",
            "<outbound average='5' floor='1'/>",
            "<inbound average='5'/><inbound average='5'/>", "<inbound average=''/>", "<inbound average='-1'/>", "<inbound average='1.5'/>",
            "<inbound average='1k'/>", "<inbound average='0x10'/>",
            "<inbound average='99999999999999999999'/>", "<inbound average='5' burst='x'/>", "<inbound average='5' peak='1'/>", "<other/>",
        ]
        // These are the inner elements of networks. With `isStricter`, this refuses what libvirt accepts.
        let networks: [(inner: String, isStricter: Bool)] = [
            ("", false), ("<bandwidth><inbound average='1000' peak='2000' burst='1024'/><outbound average='2000'/></bandwidth>", false),
            ("<bandwidth><inbound average='5' floor='1'/></bandwidth>", false), ("<bandwidth><inbound peak='5'/></bandwidth>", false),
            // The driver for real networks refuses these (network/bridge_driver.c), but the test driver does not check them.
            ("<portgroup name='a' default='yes'/><portgroup name='b' default='yes'/>", true), ("<portgroup name='a'/><portgroup name='a'/>", true),
            ("<portgroup/>", false),
            ("<portgroup name='a' default='yes'><bandwidth><inbound average='5'/></bandwidth></portgroup><portgroup name='b'/>", false),
            ("<portgroup name='a'><bandwidth><inbound average='5' floor='1'/></bandwidth></portgroup>", false), ("<mtu size='9000'/>", false),
            ("<mtu size='big'/>", false),
        ]
        let vlans: [(inner: String, isStricter: Bool)] = [
            ("<tag id='549'/>", false), ("", false), ("<tag/>", false), ("<tag id='x'/>", false), ("<tag id='5000'/>", false), ("<tag id='0'/>", true),
            ("<tag id='4095'/>", true),
            ("<tag id='1'/><tag id='2'/>", false), ("<tag id='1' nativeMode='untagged'/><tag id='2'/>", false),
            ("<tag id='1' nativeMode='tagged'/><tag id='2'/>", true),
            ("<tag id='1' nativeMode='untagged'/><tag id='2' nativeMode='untagged'/>", false), ("<tag id='1' nativeMode='x'/>", false),
        ]
        let trunks: [(vlan: String, isStricter: Bool)] =
            vlans.map { ("<vlan>\($0.inner)</vlan>", $0.isStricter) } + [
                ("<vlan trunk='yes'><tag id='1'/></vlan>", false), ("<vlan trunk='no'><tag id='1'/></vlan>", false),
                ("<vlan trunk='no'><tag id='1'/><tag id='2'/></vlan>", false),
                ("<vlan trunk='no'><tag id='1' nativeMode='untagged'/></vlan>", false), ("<vlan trunk='maybe'><tag id='1'/></vlan>", false),
            ]
        var files: [String: String] = [:], commands: [String] = [], networkCases: [(name: String, xml: String, isStricter: Bool)] = []
        for (place, inner) in bandwidths.enumerated() {
            files["d\(place).xml"] = domain("d\(place)", interfaceXML("52:54:00:00:00:01", "/run/1.sock", "<bandwidth>\(inner)</bandwidth>"))
            commands.append("define d\(place).xml")
        }
        for (place, item) in networks.enumerated() {
            networkCases.append(
                ("n\(place)", "<network><name>n\(place)</name><forward mode='bridge'/><bridge name='b\(place)'/>\(item.inner)</network>", item.isStricter))
            // libvirt allows a bandwidth only in networks that it forwards itself.
            if item.inner.hasPrefix("<bandwidth>") || item.inner.hasPrefix("<mtu") {
                networkCases[place].xml = "<network><name>n\(place)</name><bridge name='b\(place)'/>\(item.inner)</network>"
            }
        }
        for (place, item) in trunks.enumerated() {
            let head = "<name>v\(place)</name><forward mode='bridge'/><bridge name='c\(place)'/><virtualport type='openvswitch'/>"
            networkCases.append(("v\(place)", "<network>\(head)\(item.vlan)</network>", item.isStricter))
        }
        for item in networkCases {
            files["\(item.name).xml"] = item.xml
            commands.append("net-define \(item.name).xml")
        }
        guard let text = try virsh(files, commands + ["list --all --name", "net-list --all --name"]) else { return }
        let defined = Set(text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) })
        for (place, inner) in bandwidths.enumerated() {
            let isRead = (try? LibvirtDomain(xml: files["d\(place).xml"] ?? "")) != nil
            #expect(isRead == defined.contains("d\(place)"), "\(inner)")
        }
        for item in networkCases {
            let isRead = (try? LibvirtNetwork(xml: item.xml)) != nil
            #expect(isRead == (defined.contains(item.name) && !item.isStricter), "\(item.xml)")
            if item.isStricter { #expect(defined.contains(item.name), "this driver refuses it, too: \(item.xml)") }
        }
    }
}
