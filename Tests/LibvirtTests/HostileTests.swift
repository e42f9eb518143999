import Configuration
import Foundation
import Libvirt
import TestSupport
import Testing

@Suite struct HostileTests {
    private func refusal(_ bytes: [UInt8]) -> String {
        do {
            _ = try LibvirtDomain(xml: bytes)
            return "accepted"
        } catch {
            return "\(error)"
        }
    }
    private func refusal(_ text: String) -> String { refusal(Array(text.utf8)) }

    @Test(arguments: [
        ("", "line 1: there is no XML here: pass what virsh dumpxml or virsh net-dumpxml prints"),
        (" \n\t", "line 2: there is no XML here: pass what virsh dumpxml or virsh net-dumpxml prints"),
        ("hello", "line 1: text stands here where an element has to: pass what virsh dumpxml or virsh net-dumpxml prints"),
        ("<domain>", "line 1: the document ends before its elements do: <domain> of line 1 has no end"),
        ("<domain>\n<name>x</domain>", "line 2: </domain> stands where <name> of line 2 has to end first: write </name> before it"),
        ("<domain/><domain/>", "line 1: something stands behind the end of the document: take it away"),
        ("<domain><name>\u{1}</name></domain>", "line 1: a character stands here that XML does not have"),
        ("<domain><name>a\0b</name></domain>", "line 1: a character stands here that XML does not have"),
        ("<domain a='1' a='2'/>", "line 1: the attribute 'a' stands twice in <domain>: write it once"),
        ("<s:domain/>", "line 1: nothing declares the prefix 's'"),
        ("<domain><name>&x;</name></domain>", "line 1: nothing declares the entity &x;: write the text that it stands for"),
        ("<domain type='&x;'/>", "line 1: nothing declares the entity &x;: write the text that it stands for"),
        ("<network/>", "line 1: this is a <network>, not a <domain>: pass what virsh dumpxml prints"),
        ("<domain xmlns='urn:other'><name>x</name></domain>", "line 1: a domain has a <name>: write one"),
        ("<?xml version='1.0' encoding='UTF-16'?><domain/>", "line 1: the encoding UTF-16 is not read here: write UTF-8, as libvirt does"),
        ("<?xml version='1.0' encoding=\"ISO-8859-1\"?><domain/>", "line 1: the encoding ISO-8859-1 is not read here"),
        ("<!-- never", "line 1: a comment has no end: write -->"),
        ("<?xml version='1.0'", "line 1: the declaration has no end"),
        ("\u{feff}<domain><name>x</name></domain>", "accepted"),
        ("<?xml version='1.0' encoding='utf-8'?>\n<!-- a -->\n<?pi x?>\n<domain><name>x</name><!-- <!DOCTYPE x> --></domain>", "accepted"),
        ("<domain><name><![CDATA[x]]></name></domain>", "accepted"),
    ])
    func whatIsNoXMLIsRefused(_ text: String, _ sentence: String) {
        let told = refusal(text)
        #expect(told.hasPrefix(sentence), "\(told)")
    }

    /// A document that declares entities is refused before its content is read, so that nothing is expanded and nothing is fetched.
    @Test(arguments: [
        "<!DOCTYPE domain [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'>]><domain><name>&c;</name></domain>",
        "<?xml version='1.0'?><!-- x --><!DOCTYPE domain [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain><name>&x;</name></domain>",
        "<!DOCTYPE domain SYSTEM 'http://192.0.2.1/x.dtd'><domain><name>x</name></domain>",
        "<!DOCTYPE domain PUBLIC '-//X//X' 'http://192.0.2.1/x.dtd'>\n<domain/>",
        "\u{feff}\n<!DOCTYPE domain><domain/>",
    ])
    func documentTypesAreRefused(_ text: String) {
        #expect(refusal(text).contains("a document type is declared here, and with it what entities stand for: libvirt's XML has none, take it away"))
        #expect(networkRefusal(text).contains("a document type is declared here"))
    }

    @Test func otherEncodingsAreRefused() {
        let text = domainXML("")
        let utf16: [UInt8] = [0xff, 0xfe] + text.utf16.flatMap { unit -> [UInt8] in [UInt8(truncatingIfNeeded: unit), UInt8(unit >> 8)] }
        #expect(refusal(utf16).hasPrefix("line 1: this is not UTF-8, in which libvirt writes"))
        // UTF-16 without a byte order mark is refused as well, because every second octet is 0, which XML does not allow.
        #expect(refusal(Array(utf16.dropFirst(2))).hasPrefix("line 1: "))
        #expect(refusal(Array("<domain><name>".utf8) + [0xe9] + Array("</name></domain>".utf8)).hasPrefix("line 1: this is not UTF-8"))
        #expect(refusal([0xed, 0xa0, 0x80]).hasPrefix("line 1: this is not UTF-8"))
    }

    @Test func whatIsTooMuchIsRefused() {
        #expect(refusal([UInt8](repeating: UInt8(ascii: " "), count: 4 << 20 + 1)).contains("this document is larger than 4 MiB"))
        #expect(refusal(String(repeating: "<a>", count: 1_000_000)).contains("elements stand more than 64 deep within one another here"))
        #expect(refusal("<domain>" + String(repeating: "<a/>", count: 200_000) + "</domain>").contains("more than 100000 elements"))
        // A document as large as the limits allow is read, and at most a hundred of its problems are reported.
        let interfaces = String(repeating: "<interface type='vhostuser'/>", count: 20_000)
        let told = refusal(domainXML(interfaces))
        #expect(told.split(separator: "\n").count == 101 && told.hasSuffix("more like these"), "\(told.suffix(100))")
        let attributes = (0..<20_000).map { "a\($0)='1'" }.joined(separator: " ")
        #expect(
            LibvirtTests.refusal(domainXML(interfaceXML("52:54:00:00:00:01"), metadata: sluice("<interface \(attributes)/>"))).split(separator: "\n").count
                == 101)
        let text = String(repeating: "x", count: 3_000_000)
        #expect(LibvirtTests.refusal(domainXML("", metadata: sluice(text))).utf8.count < 3_000)
        #expect(LibvirtTests.refusal(domainXML(interfaceXML("52:54:00:00:00:01"), metadata: sluice("<interface isolated='\(text)'/>"))).utf8.count < 3_000)
        #expect(LibvirtTests.refusal(domainXML(interfaceXML(text), name: text)).utf8.count < 3_000)
    }

    /// Elements that are repeated tens of thousands of times are read in time proportional to their number.
    @Test func manyOfAKindTakeNoMoreThanTheirTime() throws {
        func mac(_ number: Int) -> String {
            let hex = String(number + 0x100_0000, radix: 16).dropFirst()
            return "52:54:00:\(hex.prefix(2)):\(hex.dropFirst(2).prefix(2)):\(hex.suffix(2))"
        }
        let policies = (0..<90_000).map { "<interface mac='\(mac($0))'/>" }.joined()
        let waiting = try configuration(domainXML(interfaceXML(mac(7)), metadata: sluice(policies)))
        #expect(waiting.part.ports.count == 1 && waiting.notes.count == 101)
        let keys = (0..<90_000).map { "<k\($0)/>" }.joined()
        #expect(LibvirtTests.refusal(domainXML(interfaceXML(mac(7)), metadata: sluice("<interface>\(keys)</interface>"))).split(separator: "\n").count == 101)
        let protocols = (0..<90_000).map { "<protocol name='p\($0)'/>" }.joined()
        #expect(
            try configuration(domainXML(interfaceXML(mac(7)), metadata: sluice("<interface>\(protocols)</interface>"))).part.guests[0].protocols.count == 90_000
        )
        let interfaces = (0..<20_000).map { interfaceXML(mac($0), "/\($0)") }.joined()
        let many = try configuration(domainXML(interfaces, metadata: sluice((0..<10_000).map { "<interface mac='\(mac($0))'/>" }.joined())))
        #expect(many.part.ports.count == 20_000)
        #expect(throws: ConfigurationError("ports", "a daemon has at most 1023 ports, and these are 20001: leave some out")) {
            try host().replacing(nil, with: many)
        }
        // A large element that applies to all interfaces is refused if there are many of them.
        let addresses = (0..<250).map { "10.0.0.\($0)" }.joined(separator: ",")
        let most = sluice("<interface addresses='\(addresses)' macs='none'/>")
        #expect(try configuration(domainXML((0..<700).map { interfaceXML(mac($0), "/\($0)") }.joined(), metadata: most)).part.ports.count == 700)
        #expect(
            LibvirtTests.refusal(domainXML(interfaces, metadata: most))
                == "metadata: an interface without mac says more here than 20000 interfaces can have: write less, or mac='...'")
        let groups = (0..<90_000).map { "<portgroup name='g\($0)'/>" }.joined()
        #expect(try LibvirtNetwork(xml: "<network><name>n</name>\(groups)</network>").portGroups.count == 90_000)
        let tags = (0..<90_000).map { "<tag id='\($0 % 4_094 + 1)'/>" }.joined()
        #expect(try LibvirtNetwork(xml: "<network><name>n</name><vlan>\(tags)</vlan></network>").settings.vlan?.tags.count == 90_000)
    }

    /// Many interfaces in one domain are read in time proportional to their number.
    @Test func aDomainOfManyInterfacesIsRead() throws {
        let interfaces = (0..<500).map { number -> String in
            let hex = String(number + 0x10000, radix: 16).dropFirst()
            return interfaceXML("52:54:00:00:\(hex.prefix(2)):\(hex.suffix(2))", "/run/\(number).sock")
        }
        let result = try configuration(domainXML(interfaces.joined()))
        #expect(result.part.ports.count == 500)
        #expect(try host().replacing(nil, with: result).guests.count == 500)
    }

    /// Nearly correct documents are each read or refused with a sentence, and those that are read also pass through the later steps.
    @Test func mutatedDocumentsAreReadOrRefused() throws {
        let network =
            "<network><name>office</name><vlan><tag id='5'/></vlan><portgroup name='gold' default='yes'><bandwidth><outbound average='5'/></bandwidth></portgroup></network>"
        let domain = domainXML(
            interfaceXML(
                "52:54:00:00:00:01", "/run/1.sock",
                "<target dev='sl0'/><driver queues='4'/><mtu size='9000'/><bandwidth><inbound average='100000' peak='500000' burst='1024'/><outbound average='128'/></bandwidth><vlan trunk='yes'><tag id='42' nativeMode='untagged'/></vlan>"
            )
                + interfaceXML("52:54:00:00:00:02", "/run/2.sock", mode: "client"),
            metadata: sluice(
                "<interface mac='52:54:00:00:00:01' group='tenant-a' addresses='10.0.0.1,10.0.0.2'><inbound floor='500mbit' queue='codel'/><outbound floor='10mbit'/><protocol name='iscsi'><outbound floor='1mbit'/></protocol></interface><interface network='office'><pace average='1gbit'/></interface>"
            ))
        let model = try host(), networks = [try LibvirtNetwork(xml: network)]
        _ = try model.replacing(nil, with: LibvirtConfiguration(try LibvirtDomain(xml: domain), networks: networks, in: model))
        let pieces = [
            "<", ">", "/>", "</", "'", "\"", "&", "&lt;", "&#0;", "&#x41;", "&#xfffe;", "<!--", "-->", "<![CDATA[", "]]>", "<?x?>", "<!DOCTYPE a>", "=", " ",
            "\n", "\0", "xmlns='u'", "a:b", "-1",
            "18446744073709551616", "none", "default", "é", "\u{202e}", "<interface type='vhostuser'/>", "0mbit", "999999gbit",
        ].map { Array($0.utf8) }
        var random = Seeded(0x5eed)
        var read = 0, refused = 0
        for round in 0..<4_000 {
            var bytes = Array((round % 8 == 7 ? network : domain).utf8)
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random), end = min(bytes.count, place + Int.random(in: 0...12, using: &random))
                switch Int.random(in: 0...5, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.removeSubrange(place..<end)
                case 2: bytes.insert(contentsOf: pieces.randomElement(using: &random)!, at: place)
                case 3: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0..<bytes.count, using: &random))
                case 4:
                    // This replaces the value of an attribute.
                    guard let open = bytes[place...].firstIndex(of: UInt8(ascii: "'")), let close = bytes[(open + 1)...].firstIndex(of: UInt8(ascii: "'"))
                    else { continue }
                    bytes.replaceSubrange(open + 1..<close, with: pieces.randomElement(using: &random)!)
                default: bytes.replaceSubrange(place..<end, with: pieces.randomElement(using: &random)!)
                }
            }
            do {
                if round % 8 == 7 {
                    _ = try LibvirtNetwork(xml: bytes)
                } else {
                    let result = try LibvirtConfiguration(try LibvirtDomain(xml: bytes), networks: networks, in: model)
                    #expect(try Model(yaml: result.part.yaml) == result.part, "\(String(decoding: bytes, as: UTF8.self))")
                    _ = try model.replacing(nil, with: result)
                }
                read += 1
            } catch {
                #expect(!error.problems.isEmpty && error.problems.allSatisfy { !$0.sentence.isEmpty })
                refused += 1
            }
        }
        // Many documents must have been read and many refused, so that both were tested.
        let (some, many) = (read > 400, refused > 400)
        #expect(some && many, "\(read) read, \(refused) refused")
    }
}
