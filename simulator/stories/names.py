"""Words that people, machines and places are made of."""

# (given name, surname, given and surname in ASCII for addresses)
PEOPLE = (
    ("Anna", "Müller", "anna.mueller"),
    ("Łukasz", "Wójcik", "lukasz.wojcik"),
    ("Zoë", "van den Berg", "zoe.vandenberg"),
    ("José", "Muñoz García", "jose.munoz"),
    ("Søren", "Kjærgaard", "soren.kjaergaard"),
    ("Chloé", "Lefèvre", "chloe.lefevre"),
    ("İbrahim", "Yıldız", "ibrahim.yildiz"),  # noqa: RUF001
    ("Θεόδωρος", "Παπαδόπουλος", "t.papadopoulos"),
    ("Иван", "Петров", "ivan.petrov"),
    ("美咲", "田中", "misaki.tanaka"),
    ("伟", "王", "wei.wang"),
    ("محمد", "العلي", "mohammed.alali"),
    ("Noa", "כהן", "noa.cohen"),
    ("Siobhán", "O'Brien", "siobhan.obrien"),
    ("Renée", "D'Angelo-Hägglund", "renee.dangelo"),
    ("Jürgen", "Weiß", "juergen.weiss"),
    ("Åsa", "Öberg", "asa.oberg"),
    ("Nguyễn", "Thị Hạnh", "nguyen.hanh"),
    ("Priya", "Raghunathan", "priya.raghunathan"),
    ("Olumide", "Adébáyò", "olumide.adebayo"),
    ("Grace", "Kim", "grace.kim"),
    ("John", "Smith", "john.smith"),
    ("John", "Smith", "john.smith2"),
    ("Mary", "Jones", "mary.jones"),
    ("Peter", "Schmid", "peter.schmid"),
    ("Laura", "Rossi", "laura.rossi"),
    ("Tomáš", "Dvořák", "tomas.dvorak"),
    ("Ana", "Gonçalves", "ana.goncalves"),
    ("Ben", "Hill", "ben.hill"),
    ("Eva", "Nagy-Szőke", "eva.nagy"),
    ("Omar", "Farouk", "omar.farouk"),
    ("Ingrid", "Ødegård", "ingrid.odegard"),
    ("Max", "Weber", "max.weber"),
    ("Sofía", "Núñez", "sofia.nunez"),
    ("Daniel", "Okafor", "daniel.okafor"),
    ("Yuki", "Sato", "yuki.sato"),
    ("Elif", "Çelik", "elif.celik"),
    ("Marek", "Novák", "marek.novak"),
    ("Claire", "Dubois", "claire.dubois"),
    ("Hannah", "Fischer", "hannah.fischer"),
    ("Li", "Na", "li.na"),
    ("Rajesh", "Iyer", "rajesh.iyer"),
    ("Emma", "Brown", "emma.brown"),
    ("Oliver", "Taylor", "oliver.taylor"),
    ("Nils", "Bergström", "nils.bergstroem"),
    ("Giulia", "Conti", "giulia.conti"),
    ("Andrei", "Ionescu", "andrei.ionescu"),
    ("Marta", "Kowalska", "marta.kowalska"),
    ("Kwame", "Mensah", "kwame.mensah"),
    ("Julia", "Bauer", "julia.bauer"),
    ("Pablo", "Ortega", "pablo.ortega"),
    ("Freya", "Lindqvist", "freya.lindqvist"),
    ("Stefan", "Meier", "stefan.meier"),
    ("Amina", "Diallo", "amina.diallo"),
    ("Lucas", "Moreau", "lucas.moreau"),
    ("Katarzyna", "Zielińska", "katarzyna.zielinska"),
    ("Tim", "de Vries", "tim.devries"),
    ("Isabel", "Ferreira", "isabel.ferreira"),
    ("David", "Levi", "david.levi"),
    ("Nina", "Horvat", "nina.horvat"),
)
# (job title, department) of the first people; the rest take turns through STAFF.
LEADERS = (
    ("Chief Executive Officer", "Executive"),
    ("Chief Financial Officer", "Finance"),
    ("Chief Information Security Officer", "Security"),
    ("Global Administrator", "IT"),
    ("Domain Administrator", "IT"),
    ("Head of Treasury", "Finance"),
)
STAFF = (
    ("Accountant", "Finance"),
    ("Payments Clerk", "Finance"),
    ("Sales Manager", "Sales"),
    ("Account Executive", "Sales"),
    ("HR Business Partner", "Human Resources"),
    ("Software Engineer", "Engineering"),
    ("Data Analyst", "Engineering"),
    ("Support Agent", "Customer Service"),
    ("Plant Operator", "Operations"),
    ("Legal Counsel", "Legal"),
    ("Marketing Specialist", "Marketing"),
)
# (city, state, country, country name, latitude, longitude)
HOME = (
    ("Zürich", "Zürich", "CH", "Switzerland", 47.3769, 8.5417),
    ("Manchester", "England", "GB", "United Kingdom", 53.4808, -2.2426),
    ("Stavanger", "Rogaland", "NO", "Norway", 58.97, 5.7331),
    ("Seattle", "Washington", "US", "United States", 47.6062, -122.3321),
)
AWAY = (
    ("Lagos", "Lagos", "NG", "Nigeria", 6.5244, 3.3792),
    ("Санкт-Петербург", "Sankt-Peterburg", "RU", "Russia", 59.9311, 30.3609),
    ("São Paulo", "São Paulo", "BR", "Brazil", -23.5505, -46.6333),
    ("Hà Nội", "Ha Noi", "VN", "Vietnam", 21.0278, 105.8342),
    ("Tehran", "Tehran", "IR", "Iran", 35.6892, 51.389),
)
TRAVEL = (
    ("Lisboa", "Lisboa", "PT", "Portugal", 38.7223, -9.1393),
    ("Kraków", "Malopolskie", "PL", "Poland", 50.0647, 19.945),
    ("Singapore", "Singapore", "SG", "Singapore", 1.3521, 103.8198),
)
AGENTS = (
    (
        "Windows 11",
        "Edge 142.0.3595",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    ),
    (
        "Windows 10",
        "Chrome 142.0.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Safari/537.36",
    ),
    (
        "MacOs",
        "Safari 26.0",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like "
        "Gecko) Version/26.0 Safari/605.1.15",
    ),
    (
        "Ios 26.1",
        "Mobile Safari 26.1",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, "
        "like Gecko) Version/26.1 Mobile/15E148 Safari/604.1",
    ),
)
ODD_AGENT = ("Linux", "Python Requests 2.32", "python-requests/2.32.5")
# (cloud app id in Defender for Cloud Apps, name)
SAAS = (
    (20595, "Microsoft Cloud App Security"),
    (20893, "Microsoft Exchange Online"),
    (20892, "Microsoft SharePoint Online"),
    (28375, "Microsoft Teams"),
    (11114, "Salesforce"),
    (15600, "Microsoft OneDrive for Business"),
    (11522, "Google Workspace"),
    (14509, "ServiceNow"),
)
BAD_DOMAINS = (
    "micros0ft-login.example",
    "secure-sharepoint-docs.example",
    "cdn-telemetry-update.example",
    "xn--mcrosoft-q2a.example",
    "invoice-portal.example",
)
