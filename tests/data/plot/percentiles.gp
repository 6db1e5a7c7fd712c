# Written by onrush plot. Its data are in percentiles.dat, and
#     gnuplot -e "term='png'" percentiles.gp
# draws it in this folder; term may be svg, png, pdf or dumb.
name = 'percentiles'
data = 'percentiles.dat'
heading = 'Response and service time by percentile'
caption = '1000/s even for 300ms, concurrence 4 fresh  ·  VALID  ·  n = 290'
unsupported = 29
percentile_axis = 'set logscale x; set xrange [1:435]; set xtics ("min" 1, "50 %%" 2, "90 %%" 10, "99 %%" 100)'
length_axis = 'set logscale y; set yrange [50000:100000000]; set ytics ("100 us" 100000, "1 ms" 1000000, "10 ms" 10000000, "100 ms" 100000000)'
any_band = 1

# The look that all pictures share.
if (!exists("term")) term = "svg"
if (term eq "png") set terminal pngcairo size 1440,900 font "sans,12" fontscale 1.4 linewidth 1.5
if (term eq "svg") set terminal svg size 960,600 font "sans-serif,13" background "#ffffff"
if (term eq "pdf") set terminal pdfcairo size 9.6in,6in font "sans,13"
if (term eq "dumb") set terminal dumb size 110,40
set output term eq "dumb" ? "/dev/stdout" : name . "." . term
set encoding utf8

# Okabe and Ito: told apart by every kind of colour vision.
blue = "#0072B2"; sky = "#56B4E9"; green = "#009E73"; orange = "#E69F00"
red = "#D55E00"; purple = "#CC79A7"; grey = "#999999"; ink = "#333333"; faint = "#F2F2F2"

set border 3 lc rgb grey
set tics nomirror out scale 0.6 tc rgb ink
set grid lc rgb "#DDDDDD" lw 0.8 dt 1
set xlabel tc rgb ink
set style fill solid noborder
set key noautotitle
set lmargin at screen 0.115
set rmargin at screen 0.87
set tmargin at screen 0.85
set bmargin at screen 0.12
set label 1 "{/:Bold " . heading . "}" at screen 0.02, 0.955 font ",16" tc rgb ink
set label 2 caption at screen 0.02, 0.905 noenhanced tc rgb "#666666"

set label 'response' at graph 1.01, graph 0.983 tc rgb blue noenhanced
set label 'service' at graph 1.01, graph 0.933 tc rgb orange noenhanced
eval percentile_axis
eval length_axis
set xlabel "percentile"
set label 70 "time" at screen 0.022, graph 0.5 rotate center tc rgb ink
set object 1 rectangle from unsupported, graph 0 to graph 1, graph 1 \
    behind fillcolor rgb faint fillstyle solid noborder
set label 90 "fewer than\n10 samples\nbeyond" at unsupported, graph 0.13 offset 0.6, 0 \
    tc rgb grey font ",11"

set style fill transparent solid 0.18 noborder
set key at screen 0.87, screen 0.02 right bottom samplen 1.5 textcolor rgb ink

plot data index "response, 95 %" using 1:2:3 with filledcurves lc rgb blue, \
     data index "service, 95 %" using 1:2:3 with filledcurves lc rgb orange, \
     NaN with boxes lc rgb grey title any_band ? "95 % confidence" : "", \
     data index "response" using 1:2 with lines lw 2.5 lc rgb blue, \
     data index "service" using 1:2 with lines lw 2.5 lc rgb orange, \
     data index "response, unsupported" using 1:2 with lines lw 1.2 dt 2 lc rgb blue, \
     data index "service, unsupported" using 1:2 with lines lw 1.2 dt 2 lc rgb orange
