"""The words by which columns that describe people are recognised: names, codes of surveys, and values.

Without accents and in lower case; of names in English, German, French, Spanish, Portuguese, Italian and Dutch. The
grounds are those of Article 21 of the EU Charter of Fundamental Rights, with columns that stand in for them.
"""

from __future__ import annotations

PERSON = "a single person"
SEX, RACE, AGE = "sex or gender", "race or ethnic origin", "age"
RELIGION, NATION, LANGUAGE = "religion or belief", "nationality or migration", "language"
HEALTH, FAMILY, ORIENTATION = "disability or health", "family status", "sexual orientation"
POLITICS, PLACE = "political opinion or union", "origin by place"

# Words that hardly mean anything else.
WORDS: dict[str, str] = {
    PERSON: "firstname lastname surname forename fullname vorname nachname familienname prenom apellido apellidos "
    "nome cognome sobrenome naam achternaam email telephone telefon telefono handynummer ssn passport iban adresse "
    "anschrift strasse direccion indirizzo endereco adres socialsecurity taxid",
    SEX: "sex gender geschlecht sexe sexo genero sesso genere geslacht male males female females mujer femme woman "
    "women anrede salutation gndr",
    RACE: "race races ethnic ethnicity ethnie raza etnia etnico raca razza hautfarbe skincolor hispanic latino latina "
    "latinx caucasian asian herkunft abstammung afkomst caste tribe indigenous aboriginal ancestry racial ethn",
    AGE: "age ages edad idade leeftijd birth birthday birthdate birthyear dob yob geburt geburtsdatum geburtsjahr "
    "geburtstag jahrgang naissance nacimiento nascimento nascita geboorte geboortedatum seniorcitizen",
    RELIGION: "religion religions religious religione religiao religie konfession confession creed faith church kirche",
    NATION: "nationality nationalitat nationalite nacionalidad nacionalidade nazionalita nationaliteit citizen "
    "citizenship staatsangehorigkeit staatsburgerschaft staatsburger citoyennete ciudadania cittadinanza cidadania "
    "migrant immigrant migration immigration immig auslander foreigner foreignborn birthplace geburtsland geburtsort "
    "refugee nativity nativecountry countryofbirth bornabroad",
    LANGUAGE: "sprache muttersprache idioma taal dialect",
    HEALTH: "disability disabilities disabled behinderung behindert schwerbehinderung handicap handicapped "
    "discapacidad deficiencia disabilita invalidity invaliditat pregnant pregnancy schwanger schwangerschaft enceinte "
    "embarazo gravidez hiv diagnosis diagnose diag impairment deaf blind",
    FAMILY: "marital married marriage familienstand verheiratet matrimonial casado spouse husband wife ehepartner "
    "children kinder kids enfants hijos filhos figli divorced divorce widowed dependents dependants relationship "
    "civilstatus personalstatus etatcivil estadocivil statocivile zivilstand conjugal",
    ORIENTATION: "sexualorientation lgbt lgbtq homosexual transgender",
    POLITICS: "politics gewerkschaft syndicat sindicato tradeunion unionmember partei partido",
    PLACE: "zip zipcode postcode postal plz postleitzahl codigopostal puma neighborhood neighbourhood stadtteil "
    "quartier barrio bairro quartiere wijk borough censustract",
}
# Words that often mean something else: in need of a second sign, or of a person who looks.
AMBIGUOUS: dict[str, str] = {
    PERSON: "name address mobile phone mail handy nom nombre street",
    SEX: "genre kon gen mujeres hommes",
    RACE: "black white cor skin latin origine origen origem origin eth hisp rac indian",
    AGE: "alter eta senior ageing",
    RELIGION: "belief rel relig",
    NATION: "foreign native national nativ cit born",
    LANGUAGE: "language langue lengua lingua accent",
    HEALTH: "mental invalid health dis disab",
    FAMILY: "civil parent parents family marie mar marit div widow household",
    ORIENTATION: "orientation",
    POLITICS: "political union party parti",
    PLACE: "district tract census cap county",
}
# Beside one of these an ambiguous word speaks of people.
PEOPLE = {
    *(
        "pct",
        "percent",
        "percentage",
        "percentages",
        "per",
        "population",
        "pop",
        "share",
        "person",
        "persons",
        "people",
        "personal",
    ),
    *("applicant", "applicants", "borrower", "patient", "customer", "employee", "student", "candidate", "respondent"),
    *("client", "member", "head", "hh", "householder", "police", "polic", "defendant", "worker", "status", "partner"),
    *("mother", "father", "spouse", "child", "male", "female", "speak", "country", "officers", "co", "derived"),
}
# Pieces of names that are written as one word, beside words that describe people.
PIECES = PEOPLE | {
    *("code", "codes", "cd", "cat", "category", "group", "grp", "grupo", "gruppe", "class", "kl", "klasse", "bin"),
    *("band", "range", "year", "years", "yr", "yrs", "jahre", "date", "datum", "day", "num", "nr", "no", "n", "flag"),
    *(
        "is",
        "has",
        "the",
        "of",
        "and",
        "und",
        "in",
        "at",
        "type",
        "desc",
        "description",
        "label",
        "recode",
        "imp",
        "txt",
        "text",
    ),
    *("med", "median", "mean", "avg", "total", "tot", "first", "last", "full", "var", "value", "raw", "new", "old"),
}
# Of what else the same word is said: an age of a house is none of a person's.
THINGS = (
    "house housing home homes building bldg property roof car vehicle veh auto automobile truck machine equipment "
    "device engine battery account acct card credit loan contract policy invoice debt ticket page session cookie "
    "domain website site file document record company firm business plant tree wine cheese rock concrete cement "
    "specimen sample system asset bridge road pipe network stage model product brand item inventory part stock store "
    "vessel ship aircraft order listing"
)
# With one of these beside it, the word is of no person.
NEVER_WITH: dict[str, str] = {
    "zip": "file archive folder name size",
    "relationship": "manager bank length id",
    "children": "menu seat",
    "dependents": "graph",
    "age": THINGS,
    "ages": THINGS,
    "birth": "company firm business",
    "race": "time track distance lap winner position day horse driver car results condition",
    "language": "version programming model sql query app ui document file code_version pack",
    "name": f"{THINGS} column host event user_agent city country school station function class process service "
    "campaign variable feature job category group dataset table region state street road course hotel "
    "restaurant field food",
    "names": THINGS,
    "address": "memory mac web url register",
    "email": "campaign opt open click sent template subject",
    "mobile": "app version os device is friendly first",
    "phone": "service services model brand os lines multiple has color colour calls battery",
    "telephone": "service",
    "mail": "opt campaign server",
    "white": "space box wine list noise label paper board blood cell cells ph",
    "black": "box list friday board white out hole",
    "native": "app ad ads code id",
    "foreign": "key exchange currency trade object",
    "union": "id_map all find square credit western european",
    "party": "third size counter",
    "orientation": "image screen page device camera display phone roof house",
    "origin": "airport city url station port point destination",
    "census": "block_size version",
    "parent": "id node key company category folder class directory order",
    "invalid": "flag count data is rows",
    "skin": "thickness fold depth temperature ui theme conductance",
    "health": "check score_system status_code insurance",
    "blind": "double trial roller",
    "nombre": "de d enfants pieces jours total pers",
    "civil": "engineering works war",
    "district": "heating",
    "national": "rank ranking holiday",
    "genre": "movie film music book game",
    "gen": "code 1 2 id rate",
    "household": "income size appliances",
    "family": "size font room",
    "church": "distance",
    "male": "connector plug",
    "female": "connector plug",
    "citizen": "report app science",
    "migration": "data db database schema system cloud",
    "confession": "rate",
    "faith": "good bad",
    "diagnosis": "engine fault error machine code_system",
    "kids": "menu",
}
# Not looked for within other words: features are disabled, too.
WHOLE_ONLY = {"disabled", "migration", "ancestry", "relationship", "dependents", "neighborhood"}
# Beginnings that a word of a name may have.
PREFIXES: dict[str, str] = {
    SEX: "gender geschlecht",
    RACE: "ethnic ethnie hispan hautfarb",
    AGE: "geburts naissan nacimien nascimen",
    RELIGION: "religi religion konfession",
    NATION: "nationalit nacionalid citizensh staatsang staatsburg immigra nativit migrations auslander",
    HEALTH: "disabilit disabled behinder handicap pregnan schwanger discapac",
    FAMILY: "marital married familienst matrimon verheirat",
}
# Columns of surveys and censuses by their names there: American Community Survey and Census (IPUMS, folktables),
# Current Population Survey, NHANES, BRFSS, General Social Survey, MEPS, European Social Survey, EU-SILC.
CODES: dict[str, str] = {
    SEX: "sex pesex riagendr sexvar birthsex gndr rb090 sex_dv",
    RACE: "rac1p rac2p rac3p racaian racasn racblk racnh racnum racpi racsor racwht hisp hispan hispand anc1p anc2p "
    "ancestr1 ancestr2 anc ptdtrace prdthsp ridreth1 ridreth3 _race _imprace _prace1 _hispanc racethx racev1x hispanx "
    "ethn_dv racel_dv rac",
    AGE: "agep ridageyr ridagemn prtage peage _ageg5yr _age80 _age_g age17x agea dvage rb080 birthyr",
    RELIGION: "relig rlgdnm rlgblg",
    NATION: "cit citp citwp nativity nop pobp bpl bpld yoep yrimmig yrsusa1 citizen prcitshp penatvty pemntvty "
    "pefntvty dmdcitzn dmdborn4 dmdborn2 waob born brncntr ctzcntr pb220a migpuma",
    LANGUAGE: "lanx lanp eng hhl speakeng lnghom1 sialang",
    HEALTH: "dis dear deye drem dphy ddrs dout dratx drat diffrem diffhear diffeye diffcare diffphys diffmob pedisear "
    "pediseye pedisrem pedisdrs pedisout pedisphy blind deaf diffwalk diffdres diffalon hlthhmp fhlthhmp",
    FAMILY: "mar marst msp marhd marhm marht marhw marhyp mart pemaritl marital dmdmartl dmdmartz marry17x maritalb "
    "pb190 mastat_dv relp relship relshipp rel relshpp noc paoc",
}
# Beginnings and ends of short codes in capital letters, whatever survey they are of.
STEMS: dict[str, str] = {
    SEX: "SEX GNDR GENDR",
    RACE: "RAC ETH ETHN HISP",
    AGE: "AGE",
    RELIGION: "RELIG",
    NATION: "NATIV CIT CITZ IMMIG",
    HEALTH: "DIS DISAB",
    FAMILY: "MAR MARIT RELSH RELP",
}
# Words that look like such a code and are none.
NO_CODES = (
    "CITY CITE CITES DISC DISH DISK DISP DIST MARK MARKS MARS MARCH MARGIN RACK RACKS AGENT AGENCY AGENDA AGILE "
    "SEXTANT ETHER ETHIC ETHOS ETHYL TRACE TERRACE GRACE BRACE EMBRACE ESSEX SUSSEX MARGE MARSH MARIA MARIO MARY AGER "
    "DISTR DISTS DISKS DISABLE"
)

# Values that say whom a row describes; two of one ground make a column suspect.
VALUES: dict[str, str] = {
    SEX: "male female man woman men women boy girl mannlich weiblich divers mann frau homme femme hombre mujer "
    "masculino femenino feminino masculin feminin maschio femmina vrouw nonbinary transgender",
    RACE: "white black asian caucasian hispanic latino latina aboriginal african african_american afroamerican "
    "native_american american_indian amer_indian amer_indian_eskimo alaska_native pacific_islander asian_pac_islander "
    "native_hawaiian multiracial blanco negro mestizo mulato branca preta parda indigena amarela weiss schwarz",
    RELIGION: "christian muslim hindu jewish buddhist catholic protestant orthodox sikh atheist katholisch "
    "evangelisch muslimisch judisch",
    FAMILY: "married single divorced widowed separated unmarried never_married verheiratet ledig geschieden verwitwet "
    "casado soltero divorciado viudo celibataire marie divorce veuf husband wife own_child not_in_family spouse "
    "married_civ_spouse never_married div dep mar",
    HEALTH: "disabled not_disabled disability no_disability blind deaf pregnant not_pregnant behindert",
    NATION: "citizen not_citizen non_citizen naturalized naturalised native foreign_born immigrant refugee native_born "
    "born_abroad auslander",
    ORIENTATION: "heterosexual homosexual bisexual gay lesbian straight",
}
# Values that are said of people only beside another one of the ground that is not among these.
COMMON_VALUES = {
    *("white", "black", "single", "separated", "native", "blind", "straight", "man", "men", "div", "dep", "mar"),
    *("citizen", "divorce", "divers", "schwarz", "weiss", "branca", "preta", "negro", "blanco", "orthodox", "marie"),
}
# Single letters and other pairs that may be of people, or sizes, fuels, days.
LETTERS = ({"m", "f"}, {"m", "w"}, {"h", "f"}, {"h", "m"})
BESIDE_LETTERS = {"x", "d", "o", "u", "n", "i", "other", "unknown", "divers", "diverse", "autre", "otro"}
